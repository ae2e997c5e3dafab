"""nanoGPT: a file for its config folder, as train.py reads it."""

from __future__ import annotations

from hpo.search.report.formats.common import model, rates
from hpo.search.report.formats.common.run import Run
from hpo.search.report.formats.common.sheet import Sheet

SUFFIX = ".py"
TAKES = ("causal",)
CHECKED = "nanoGPT's train.py of December 2024"
KEYS = (
    "out_dir", "dataset", "n_layer", "n_head", "n_embd", "block_size", "dropout", "bias", "batch_size",
    "gradient_accumulation_steps", "learning_rate", "decay_lr", "warmup_iters", "lr_decay_iters", "min_lr", "max_iters",
    "weight_decay", "beta1", "beta2", "grad_clip", "eval_interval", "dtype",
)  # fmt: skip


def write(run: Run) -> str:
    """The recipe as globals of train.py."""
    run.need_steps("nanoGPT counts iterations")
    sheet = Sheet(run, "nanoGPT", CHECKED)
    sheet.note(f"start with: torchrun --standalone --nproc_per_node={run.share.devices} train.py FILE")
    sheet.set("out_dir", f"{run.name}-out")
    sheet.set(
        "dataset", "DATASET", why="a folder of data/ with train.bin, val.bin and, beside GPT-2's tokenizer, meta.pkl"
    )
    sheet.section("model")
    _model(sheet, run)
    sheet.section("batch")
    cut = run.share
    sheet.set("batch_size", cut.per_device, "batch_size", why="of one device")
    sheet.set(
        "gradient_accumulation_steps", cut.accumulation * cut.devices, "accumulation_steps", "effective_batch",
        "tokens_per_step", why=f"of all devices together: train.py divides it by their number, {cut.devices}",
    )  # fmt: skip
    sheet.section("learning rate and length")
    _rate(sheet, run)
    sheet.section("optimizer")
    _optimizer(sheet, run)
    sheet.section("numbers")
    sheet.set("dtype", run.training.precision, "precision")
    sheet.note("train.py seeds with 1337 + rank: change torch.manual_seed there", "seed")
    sheet.note("train.py does not stop early; it keeps the best with always_save_checkpoint = False", "patience")
    sheet.rest()
    return sheet.python()


def _model(sheet: Sheet, run: Run) -> None:
    for key, knob in (("n_layer", "depth"), ("n_head", "heads"), ("n_embd", "width"), ("block_size", "context")):
        if knob in run.knobs:
            sheet.set(key, run.knobs[knob], knob)
    if "dropout" in run.knobs:
        drops = "of attention weights too, which the recipe keeps" if run.knobs["dropout"] else ""
        sheet.set("dropout", float(run.knobs["dropout"]), "dropout", why=drops)
    sheet.set("bias", bool(run.knobs.get("bias", True)), "bias", why="of all but the head")
    if {name: run.knobs.get(name) for name in model.GPT2} == model.GPT2:
        sheet.note("as model.py has them", *model.GPT2)
    else:
        sheet.note("model.py has learned positions, LayerNorm and GELU: change it there", *model.GPT2)
    tied = run.knobs.get("tied")
    sheet.note("as model.py" if tied else "model.py ties them: take wte.weight = lm_head.weight out", "tied")
    own = run.knobs.get("init") == "gpt2"
    sheet.note("as model.py" if own else "model.py draws normal(0.02): change _init_weights", "init")
    sheet.note("train.py checkpoints no activations", "checkpoint_activations")
    pack = run.knobs.get("pack")
    sheet.note(
        "train.py draws windows of one stream at random, with attention across documents"
        + ("" if pack == "stream" else ": the recipe keeps them apart"),
        "pack", "truncate",
    )  # fmt: skip
    sheet.note("in data/DATASET/prepare.py", "tokenizer", "vocabulary")
    model.note_mup(sheet, run)


def _rate(sheet: Sheet, run: Run) -> None:
    recipe, steps = run.training, run.steps
    peak = run.adam_peak if recipe.optimizer == "muon" else run.peak
    flat = recipe.schedule != "cosine"
    exact = recipe.schedule in ("cosine", "constant")
    sheet.set("learning_rate", peak, "learning_rate", "coupling", "reference_batch")
    sheet.set("decay_lr", True, "schedule")
    sheet.set(
        "warmup_iters", run.warmup, "warmup",
        why=f"train.py climbs by 1/{run.warmup + 1} a step, the recipe by 1/{run.warmup}" if run.warmup else "",
    )  # fmt: skip
    sheet.set("lr_decay_iters", steps)
    sheet.set(
        "min_lr", peak if flat else peak * recipe.floor, "floor", why="so that cosine stays at the top" if flat else ""
    )
    sheet.set(
        "max_iters", steps, "max_steps", "max_tokens", "epochs",
        why="what train.py evaluates at it has seen this many steps; it takes one more, which it never saves",
    )  # fmt: skip
    every = run.evaluate or max(1, round((steps or 1) / 20))
    sheet.set("eval_interval", every, "eval_every", why="must divide max_iters for the end to be scored")
    if not exact:
        sheet.note(
            "get_lr of train.py knows cosine alone: for the recipe's schedule replace it by get_lr = lambda it: "
            f"learning_rate * factor(it, {steps}) with",
            *(knob for knob in rates.KNOBS if knob not in ("warmup", "floor")),
        )  # fmt: skip
        sheet.code(rates.source(run))


def _optimizer(sheet: Sheet, run: Run) -> None:
    recipe = run.training
    plain = recipe.optimizer == "adamw" or (recipe.optimizer == "adam" and not run.weight_decay)
    decay = 0.0 if recipe.optimizer == "adam" else run.weight_decay
    sheet.set(
        "weight_decay", decay, "weight_decay", "weight_timescale",
        why="of matrices and embeddings: the recipe spares embeddings" if decay else "",
    )  # fmt: skip
    sheet.set("beta1", recipe.beta1, "beta1")
    sheet.set("beta2", recipe.beta2, "beta2")
    sheet.set("grad_clip", float(recipe.clip_norm), "clip_norm", why="" if recipe.clip_norm else "0.0 is none")
    sheet.note("model.py leaves torch's 1e-8: give it eps in configure_optimizers if the recipe has another", "epsilon")
    if plain:
        sheet.note("AdamW with these numbers", "optimizer")
    else:
        sheet.note(
            "train.py has AdamW alone: put the recipe's rule into configure_optimizers of model.py",
            "optimizer", "momentum", "nesterov", "adam_rate",
        )  # fmt: skip
        if recipe.optimizer == "muon":
            sheet.note(f"hidden matrices under Muon at {run.peak:g}, the rest under AdamW at {run.adam_peak:g}")
