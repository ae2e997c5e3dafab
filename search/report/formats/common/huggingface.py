"""Keys of transformers' ``TrainingArguments``, which other tools take too: scheduler, optimizer, batch, length.

The warm-up of transformers begins at 0 and reaches the full rate one step after its last: each of its steps has the
rate that the suite's has at the step before. After the warm-up the rates are equal, to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hpo.search.report.formats.common import rates
from hpo.search.report.formats.common.run import Run
from hpo.search.report.formats.common.sheet import Sheet

LATE = (
    "the warm-up of transformers begins at 0, so each of its steps has the rate of the recipe's step before; after it "
    "the rates are the recipe's"
)
FROM_FLOOR = (
    "the warm-up of warmup_stable_decay climbs from the floor, the recipe's from 0; after it the rates are the recipe's"
)


@dataclass(frozen=True)
class Scheduler:
    """A schedule of transformers.

    Attributes:
        kind: value of ``lr_scheduler_type``.
        kwargs: value of ``lr_scheduler_kwargs``.
        exact: whether the rates after the warm-up are the recipe's.
        notes: what differs.
        climb: how its warm-up differs.
    """

    kind: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    exact: bool = True
    notes: tuple[str, ...] = ()
    climb: str = LATE


def scheduler(run: Run) -> Scheduler:
    """The schedule of transformers that is this recipe's, or stays at the full rate where there is none.

    Raises:
        UserError: it counts steps, and their number is not known.
    """
    recipe = run.training
    flat = "constant_with_warmup" if recipe.warmup else "constant"
    if recipe.schedule == "constant" or (recipe.floor == 1 and recipe.schedule != "one-cycle"):
        return Scheduler(flat)
    if recipe.schedule == "cosine":
        if not recipe.floor:
            return Scheduler("cosine")
        return Scheduler("cosine_with_min_lr", {"min_lr_rate": recipe.floor})
    if recipe.schedule == "linear" and not recipe.floor:
        return Scheduler("linear")
    if recipe.schedule in ("linear", "polynomial"):
        power = 1.0 if recipe.schedule == "linear" else recipe.power
        return Scheduler("polynomial", {"power": power, "lr_end": run.least})
    if recipe.schedule == "wsd":
        return _wsd(run, flat)
    return Scheduler(flat, {}, False, (f"transformers has no schedule {recipe.schedule}: this one stays at the top",))


def _wsd(run: Run, flat: str) -> Scheduler:
    steps, recipe = run.need_steps("warmup_stable_decay counts the steps of its decay"), run.training
    falling = recipe.cooldown * (steps - run.warmup)
    whole = round(falling)
    if not whole:
        return Scheduler(flat)
    exact = abs(falling - whole) <= 1e-9 * steps
    notes = () if exact else (f"the recipe's decay takes {falling:g} steps, this one whole ones",)
    kwargs = {"num_decay_steps": whole, "decay_type": "linear", "min_lr_ratio": recipe.floor}
    return Scheduler("warmup_stable_decay", kwargs, exact, notes, FROM_FLOOR if recipe.floor else LATE)


def put_rate(
    sheet: Sheet, run: Run, *, kind: str = "lr_scheduler_type", ratio: str = "warmup_ratio", least: str = ""
) -> None:
    """Rate, schedule and warm-up; the warm-up in steps where their number is known, else as a share under ``ratio``.

    ``least`` says what the tool makes of a warm-up of 0 or 1 steps, where it makes something of it.
    """
    found = scheduler(run)
    peak = run.adam_peak if run.training.optimizer == "muon" else run.peak
    sheet.set("learning_rate", peak, "learning_rate", "coupling", "reference_batch", why=_peak(run))
    sheet.set(kind, found.kind, *rates.KNOBS, why="; ".join(found.notes))
    if found.kwargs:
        sheet.set("lr_scheduler_kwargs", found.kwargs)
    late = found.climb if run.training.warmup else ""
    if run.steps:
        told = "; ".join(part for part in (late, least if run.warmup < 2 else "") if part)
        sheet.set("warmup_steps", run.warmup, "warmup", why=told)
    else:
        rounded = "; the recipe rounds to the nearest step, the tool up or down" if run.training.warmup else ""
        sheet.set(ratio, float(run.training.warmup), "warmup", why=late + rounded)
    if not found.exact and not found.kwargs:
        sheet.note(
            "for the recipe's rates hand the Trainer optimizers=(optimizer, LambdaLR(optimizer, lambda step: "
            f"factor(step, {run.steps or 'total'}))) with"
        )
        sheet.code(rates.source(run))


def _peak(run: Run) -> str:
    if run.training.optimizer == "muon":
        return "the rate of adam_rate, see optimizer"
    return "with the coupling to its batch" if run.training.coupling != "none" else ""


def put_optimizer(sheet: Sheet, run: Run, key: str = "optim") -> None:
    """Optimizer, betas, epsilon, decay and clipping; where transformers lacks the rule, AdamW and a note on it."""
    recipe = run.training
    args = ""
    names = {"adamw": "adamw_torch", "adam": "adamw_torch", "sgd": "sgd", "rmsprop": "rmsprop", "lion": "lion_32bit"}
    if recipe.optimizer == "sgd":
        args = f"momentum={recipe.momentum},nesterov={str(recipe.nesterov).lower()}"
    elif recipe.optimizer == "rmsprop":
        args = f"alpha={recipe.beta2},eps={recipe.epsilon}"
    why = {
        "adam": "Adam of the recipe" if not run.weight_decay else "no Adam with an L2 term, so no decay here",
        "lion": "needs bitsandbytes",
        "muon": "transformers has no Muon",
    }
    sheet.set(key, names.get(recipe.optimizer, "adamw_torch"), "optimizer", why=why.get(recipe.optimizer, ""))
    if args:
        sheet.set("optim_args", args, "momentum", "nesterov", "beta2", "epsilon", why="read from 5.0 on")
    if recipe.optimizer == "muon":
        put_muon_note(sheet, run)
    if recipe.optimizer not in ("sgd", "rmsprop"):
        sheet.set("adam_beta1", recipe.beta1, "beta1")
        sheet.set("adam_beta2", recipe.beta2, "beta2")
    if recipe.optimizer in ("adam", "adamw", "muon"):
        sheet.set("adam_epsilon", recipe.epsilon, "epsilon")
    put_decay(sheet, run)
    put_clip(sheet, run)


def put_muon_note(sheet: Sheet, run: Run) -> None:
    """What Muon of the recipe is, for a file that trains with AdamW."""
    sheet.note(
        f"the recipe trains hidden matrices with Muon at rate {run.peak:g} and the rest with AdamW at "
        f"{run.adam_peak:g}, the rate above: for the matrices give the tool torch.optim.Muon(matrices, "
        f"lr={run.peak:g}, momentum={run.training.momentum:g}, weight_decay={run.weight_decay:g}), "
        "whose scaling by shape is the recipe's",
        "adam_rate", "momentum",
    )  # fmt: skip


def put_decay(sheet: Sheet, run: Run) -> None:
    """Weight decay, and to what the Trainer applies it."""
    decay = 0.0 if run.training.optimizer == "adam" else run.weight_decay
    sheet.set(
        "weight_decay", decay, "weight_decay", "weight_timescale",
        why="the Trainer spares biases and norms as the recipe does, but decays embeddings too" if decay else "",
    )  # fmt: skip
    if run.training.optimizer == "adam" and run.weight_decay:
        sheet.note(f"the recipe adds {run.weight_decay:g} x weights to the gradient (L2)", "weight_decay")


def put_clip(sheet: Sheet, run: Run) -> None:
    """Clipping, which the Trainer does at 1.0 unless it is told not to."""
    why = "" if run.training.clip_norm else "none in the recipe; left out it would be 1.0"
    sheet.set("max_grad_norm", float(run.training.clip_norm), "clip_norm", why=why)


def put_batch(sheet: Sheet, run: Run, key: str = "per_device_train_batch_size") -> None:
    """Micro-batch of one device and accumulation."""
    cut = run.share
    sheet.set(key, cut.per_device, "batch_size", why=f"on each of {cut.devices}" if cut.devices > 1 else "")
    sheet.set(
        "gradient_accumulation_steps", cut.accumulation, "accumulation_steps", "effective_batch", "tokens_per_step",
        why=f"{cut.per_device} x {cut.devices} x {cut.accumulation} = {cut.effective} samples",
    )  # fmt: skip


def put_length(sheet: Sheet, run: Run, epochs: str = "num_train_epochs") -> None:
    """Length of the run."""
    if run.steps:
        sheet.set("max_steps", run.steps, "max_steps", "max_tokens", "epochs")
    else:
        sheet.set(epochs, float(run.epochs), "epochs", "max_steps", "max_tokens")


def put_evaluation(sheet: Sheet, run: Run) -> None:
    """When to evaluate."""
    if every := run.evaluate:
        sheet.set("eval_strategy", "steps", "eval_every")
        sheet.set("eval_steps", every, "eval_every")
    else:
        sheet.set("eval_strategy", "epoch", "eval_every")
    if run.training.patience:
        sheet.note(
            "add transformers.EarlyStoppingCallback with this early_stopping_patience and load_best_model_at_end: true",
            "patience",
        )


def put_precision(sheet: Sheet, run: Run) -> None:
    """Number format: bfloat16 under autocast, weights in float32, as the recipe has it."""
    sheet.set("bf16", run.training.precision == "bfloat16", "precision")


def put_seed(sheet: Sheet, run: Run) -> None:
    """Seed."""
    sheet.set("seed", int(run.training.seed) % 2**32, "seed")
