"""Lightning: Python with the Trainer's keywords and the configure_optimizers of a LightningModule."""

from __future__ import annotations

from typing import Any

from hpo.search.report.formats.common import model, rates
from hpo.search.report.formats.common.run import Run
from hpo.search.report.formats.common.sheet import Sheet

SUFFIX = ".py"
TAKES = ("causal", "masked", "")
CHECKED = "lightning 2.6"
KEYS = ("SEED", "BATCH_SIZE", "TOTAL_STEPS", "TRAINER")
TRAINER = (
    "devices", "strategy", "precision", "max_steps", "max_epochs", "accumulate_grad_batches", "gradient_clip_val",
    "gradient_clip_algorithm", "val_check_interval", "check_val_every_n_epoch",
)  # fmt: skip
"""Keywords of the Trainer that it may write."""

_GROUPS = '''
def groups(module):
    """Matrices that decay, and everything else: biases, gains of norms, embedding tables."""
    tables = {id(p) for m in module.modules() if isinstance(m, torch.nn.Embedding) for p in m.parameters()}
    matrices = [p for p in module.parameters() if p.ndim > 1 and id(p) not in tables]
    rest = [p for p in module.parameters() if p.ndim < 2 or id(p) in tables]
    return matrices, rest
'''

_ONE = '''
def configure_optimizers(self):
    """For your LightningModule: optimizer and schedule of the recipe."""
    matrices, rest = groups(self)
    parts = [{{"params": matrices, "weight_decay": {decay!r}}}, {{"params": rest, "weight_decay": 0.0}}]
    optimizer = {call}
    total = TOTAL_STEPS or int(self.trainer.estimated_stepping_batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, total))
    return {{"optimizer": optimizer, "lr_scheduler": {{"scheduler": schedule, "interval": "step"}}}}
'''

_TWO = '''
def configure_optimizers(self):
    """For your LightningModule: Muon for the matrices of hidden layers, AdamW for the rest, both on the schedule.

    Lightning steps several optimizers under self.automatic_optimization = False only: accumulate, clip and step in
    training_step, and step both schedules with them.
    """
    matrices, rest = groups(self)
    first = 0 if any(isinstance(m, torch.nn.Embedding) for m in self.modules()) else 1
    last = len(matrices){head}
    hidden, ends = matrices[first:last], [*matrices[:first], *matrices[max(first, last):]]
    muon = torch.optim.Muon(hidden, lr={peak!r}, momentum={momentum!r}, weight_decay={decay!r})
    parts = [{{"params": ends, "weight_decay": {decay!r}}}, {{"params": rest, "weight_decay": 0.0}}]
    adamw = {call}
    total = TOTAL_STEPS or int(self.trainer.estimated_stepping_batches)
    both = [torch.optim.lr_scheduler.LambdaLR(each, lambda step: factor(step, total)) for each in (muon, adamw)]
    return [muon, adamw], [{{"scheduler": each, "interval": "step"}} for each in both]
'''


def write(run: Run) -> str:
    """The recipe as Trainer(**TRAINER) and configure_optimizers."""
    sheet = Sheet(run, "Lightning", CHECKED)
    sheet.note("use it with: seed_everything(SEED), DataLoader(batch_size=BATCH_SIZE), Trainer(**TRAINER)")
    sheet.set("SEED", int(run.training.seed) % 2**32, "seed")
    sheet.set("BATCH_SIZE", run.share.per_device, "batch_size", why="of one device's DataLoader")
    sheet.set(
        "TOTAL_STEPS", run.steps, why="over which the rate's schedule spreads" if run.steps else "asked of the Trainer"
    )
    _trainer(sheet, run)
    sheet.section("learning rate and optimizer: the code below")
    recipe = run.training
    sheet.note("the Trainer's steps have these rates exactly", *rates.KNOBS)
    sheet.note(f"the rate's top is {run.peak:.6g}", "learning_rate", "coupling", "reference_batch")
    rule = ("optimizer", "adam_rate", "momentum", "nesterov", "beta1", "beta2", "epsilon")
    sheet.note("pip install lion-pytorch" if recipe.optimizer == "lion" else "of torch.optim", *rule)
    sheet.note("on matrices, as in the recipe", "weight_decay", "weight_timescale")
    sheet.section("model, data and loss, which your module makes")
    if run.language:
        model.note_model(sheet, run)
        model.note_rest(sheet, run)
        sheet.note("how documents become samples of context tokens", "pack", "truncate")
        sheet.note("torch.utils.checkpoint around each block", "checkpoint_activations")
        sheet.note(
            "Lightning divides the loss of each micro-batch by accumulate_grad_batches, a mean of means: where samples "
            "have unequal numbers of tokens, return sum of losses x accumulate_grad_batches / tokens of the step"
        )
    sheet.note("cross_entropy(..., label_smoothing=) of torch", "label_smoothing")
    sheet.note(
        "lightning.pytorch.callbacks.EMAWeightAveraging or StochasticWeightAveraging", "average", "average_decay"
    )
    sheet.note("lightning.pytorch.callbacks.EarlyStopping(monitor, patience)", "patience")
    sheet.rest()
    return f"{sheet.python()}\nimport math\n\nimport torch\n\n\n{_code(run)}"


def _trainer(sheet: Sheet, run: Run) -> None:
    cut, recipe = run.share, run.training
    words: dict[str, Any] = {
        "devices": cut.devices, "strategy": "ddp" if cut.devices > 1 else "auto",
        "precision": "bf16-mixed" if recipe.precision == "bfloat16" else "32-true",
        "max_steps": run.steps or -1, "max_epochs": -1 if run.steps else run.epochs,
        "accumulate_grad_batches": cut.accumulation,
        "gradient_clip_val": float(recipe.clip_norm) or None, "gradient_clip_algorithm": "norm",
    }  # fmt: skip
    if every := run.evaluate:
        words |= {"val_check_interval": every * cut.accumulation, "check_val_every_n_epoch": None}
    knobs = (
        "accumulation_steps", "effective_batch", "tokens_per_step", "clip_norm", "precision", "max_steps", "max_tokens",
        "epochs", "eval_every",
    )  # fmt: skip
    sheet.set("TRAINER", words, *knobs)
    if cut.devices > 1:
        sheet.note(f"on several machines devices is that of one, with num_nodes so that all are {cut.devices}")
    if run.evaluate:
        sheet.note(f"val_check_interval counts micro-batches: {run.evaluate} steps x {cut.accumulation}")
    if cut.accumulation > 1:
        sheet.note("at the end of an epoch Lightning steps with what it has: let drop_last or max_steps avoid it")
    if not run.language:
        sheet.note("a step's loss is the mean of its micro-batches' means: over samples, as long as these are equal")


def _code(run: Run) -> str:
    recipe = run.training
    decay = run.weight_decay
    betas = f"betas=({recipe.beta1!r}, {recipe.beta2!r})"
    calls = {
        "adamw": f"torch.optim.AdamW(parts, lr={run.peak!r}, {betas}, eps={recipe.epsilon!r})",
        "adam": f"torch.optim.Adam(parts, lr={run.peak!r}, {betas}, eps={recipe.epsilon!r})",
        "sgd": f"torch.optim.SGD(parts, lr={run.peak!r}, momentum={recipe.momentum!r}, nesterov={recipe.nesterov!r})",
        "rmsprop": f"torch.optim.RMSprop(parts, lr={run.peak!r}, alpha={recipe.beta2!r}, eps={recipe.epsilon!r})",
        "lion": f"Lion(parts, lr={run.peak!r}, {betas})",
        "muon": f"torch.optim.AdamW(parts, lr={run.adam_peak!r}, {betas}, eps={recipe.epsilon!r})",
    }
    call = calls[recipe.optimizer]
    if recipe.optimizer == "muon":
        head = "  # the head is the table of the embeddings" if run.knobs.get("tied") else " - 1"
        body = _TWO.format(peak=run.peak, momentum=recipe.momentum, decay=decay, call=call, head=head)
    else:
        body = _ONE.format(decay=decay, call=call)
    if recipe.optimizer == "lion":
        body = body.replace("    matrices, rest", "    from lion_pytorch import Lion\n\n    matrices, rest", 1)
    return "\n\n\n".join(part.strip("\n") for part in (rates.source(run), _GROUPS, body)) + "\n"
