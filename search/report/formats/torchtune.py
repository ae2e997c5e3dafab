"""torchtune: YAML for tune run of its full fine-tuning recipes, on text joined or packed."""

from __future__ import annotations

from typing import Any

from hpo.search.report.formats.common import huggingface as hf
from hpo.search.report.formats.common import model, rates
from hpo.search.report.formats.common.run import Run
from hpo.search.report.formats.common.sheet import Sheet

SUFFIX = ".yaml"
TAKES = ("causal",)
CHECKED = "torchtune 0.6.1"
KEYS = (
    "output_dir", "tokenizer", "dataset", "seed", "shuffle", "model", "checkpointer", "resume_from_checkpoint",
    "batch_size", "epochs", "max_steps_per_epoch", "gradient_accumulation_steps", "optimizer", "optimizer_in_bwd",
    "lr_scheduler", "clip_grad_norm", "loss", "device", "dtype", "enable_activation_checkpointing",
    "enable_activation_offloading", "compile", "metric_logger", "log_every_n_steps", "log_peak_memory_stats",
)  # fmt: skip

_FUNCTIONS = {
    "linear": "get_linear_schedule_with_warmup",
    "polynomial": "get_polynomial_decay_schedule_with_warmup",
    "cosine_with_min_lr": "get_cosine_with_min_lr_schedule_with_warmup",
    "warmup_stable_decay": "get_wsd_schedule",
}
"""Schedules that torchtune does not have and can call all the same: it names any function by its path."""


def write(run: Run) -> str:
    """The recipe as training by torchtune."""
    sheet = Sheet(run, "torchtune", CHECKED)
    many = run.share.devices > 1
    launch = (
        f"--nproc_per_node {run.share.devices} full_finetune_distributed" if many else "full_finetune_single_device"
    )
    sheet.note(f"start with: tune run {launch} --config FILE")
    sheet.set("output_dir", f"{run.name}-out")
    sheet.section("model and data")
    _model(sheet, run)
    model.note_rest(sheet, run)
    _data(sheet, run)
    on = bool(run.knobs.get("checkpoint_activations"))
    sheet.set("enable_activation_checkpointing", on, "checkpoint_activations")
    sheet.set("enable_activation_offloading", False)
    sheet.section("batch and length")
    _length(sheet, run)
    sheet.section("optimizer and learning rate")
    _optimizer(sheet, run)
    _rate(sheet, run)
    sheet.set("clip_grad_norm", float(run.training.clip_norm) or None, "clip_norm")
    sheet.section("numbers")
    low = run.training.precision == "bfloat16"
    sheet.set(
        "dtype", "bf16" if low else "fp32", "precision",
        why="weights and optimizer state too, which the recipe keeps in float32" if low else "",
    )  # fmt: skip
    sheet.set("seed", int(run.training.seed) % 2**32, "seed")
    sheet.set(
        "loss", {"_component_": "torchtune.modules.loss.CEWithChunkedOutputLoss"}, why="a mean over a step's tokens"
    )
    for key, value in (
        ("device", "cuda"),
        ("compile", False),
        ("log_every_n_steps", 1),
        ("log_peak_memory_stats", False),
    ):
        sheet.set(key, value)
    logger = {"_component_": "torchtune.training.metric_logging.DiskLogger", "log_dir": f"{run.name}-out/logs"}
    sheet.set("metric_logger", logger)
    sheet.note("these recipes score nothing between epochs", "eval_every", "patience")
    sheet.rest()
    return sheet.yaml()


def _model(sheet: Sheet, run: Run) -> None:
    knobs = run.knobs
    if model.style(run) == "llama":
        words: dict[str, Any] = {
            "_component_": "torchtune.models.llama2.llama2", "vocab_size": model.vocabulary(run) or "SIZE",
            "num_layers": knobs.get("depth"), "num_heads": knobs.get("heads"), "num_kv_heads": knobs.get("heads"),
            "embed_dim": knobs.get("width"), "max_seq_len": run.context, "intermediate_dim": model.inner(run),
            "attn_dropout": 0.0,
        }  # fmt: skip
        sheet.set("model", words, *model.SHAPE, *model.LLAMA)
        sheet.note("llama2 has no biases", "bias")
        sheet.note("llama2 does not tie embeddings; torchtune.models.qwen2.qwen2 does", "tied")
    else:
        sheet.set("model", {"_component_": "MODEL"}, why="a builder of torchtune.models")
        sheet.note("of this size", *model.SHAPE, "tied")
        sheet.note("torchtune has rotary positions, RMSNorm and SwiGLU: the recipe's layers are others", *model.STYLE)
    checkpointer = {
        "_component_": "torchtune.training.FullModelHFCheckpointer", "checkpoint_dir": "MODEL",
        "checkpoint_files": ["model.safetensors"], "recipe_checkpoint": None, "output_dir": f"{run.name}-out",
        "model_type": "LLAMA2",
    }  # fmt: skip
    sheet.set(
        "checkpointer", checkpointer, why="its recipes begin from saved weights: save random ones of this model first"
    )
    sheet.set("resume_from_checkpoint", False)


def _data(sheet: Sheet, run: Run) -> None:
    pack = run.knobs.get("pack")
    sheet.set("tokenizer", {"_component_": "TOKENIZER", "path": "FILE", "max_seq_len": run.context}, "context")
    words = {"_component_": "torchtune.datasets.text_completion_dataset", "source": "DATASET", "packed": pack != "pad"}
    crosses = "packed documents do not see each other here; under pack: stream they do"
    sheet.set("dataset", words, "pack", why=crosses if pack == "stream" else "")
    sheet.set("shuffle", True)
    sheet.note("packing splits long documents (split_across_pack), padding cuts their tails off", "truncate")


def _length(sheet: Sheet, run: Run) -> None:
    cut = run.share
    sheet.set("batch_size", cut.per_device, "batch_size", why="of one device")
    sheet.set(
        "gradient_accumulation_steps", cut.accumulation, "accumulation_steps", "effective_batch", "tokens_per_step",
        why=f"{cut.per_device} x {cut.devices} x {cut.accumulation} = {cut.effective} samples",
    )  # fmt: skip
    steps = run.training.max_steps or run.knobs.get("max_tokens")
    sheet.set("epochs", 1 if steps else run.epochs, "epochs")
    if steps:
        why = "the schedule spreads over it; where the data has fewer steps, spread it over more epochs"
        sheet.set("max_steps_per_epoch", run.steps, "max_steps", "max_tokens", why=why)
    else:
        sheet.set("max_steps_per_epoch", None, "max_steps", "max_tokens")


def _optimizer(sheet: Sheet, run: Run) -> None:
    recipe = run.training
    words: dict[str, Any] = {"_component_": "torch.optim.AdamW", "lr": run.peak, "weight_decay": run.weight_decay}
    named: tuple[str, ...] = (
        "optimizer",
        "learning_rate",
        "coupling",
        "reference_batch",
        "weight_decay",
        "weight_timescale",
    )
    if recipe.optimizer in ("adam", "adamw", "muon"):
        words |= {"betas": [recipe.beta1, recipe.beta2], "eps": recipe.epsilon}
        named += ("beta1", "beta2", "epsilon")
    if recipe.optimizer == "adam":
        words["_component_"] = "torch.optim.Adam"
    elif recipe.optimizer == "sgd":
        words |= {"_component_": "torch.optim.SGD", "momentum": recipe.momentum, "nesterov": recipe.nesterov}
        named += ("momentum", "nesterov")
    elif recipe.optimizer == "rmsprop":
        words |= {"_component_": "torch.optim.RMSprop", "alpha": recipe.beta2, "eps": recipe.epsilon}
        named += ("beta2", "epsilon")
    elif recipe.optimizer == "lion":
        words |= {"_component_": "lion_pytorch.Lion", "betas": [recipe.beta1, recipe.beta2]}
        named += ("beta1", "beta2")
    elif recipe.optimizer == "muon":
        words["lr"] = run.adam_peak
    sheet.set(
        "optimizer", words, *named, why="all parameters decay, norms and embeddings too" if run.weight_decay else ""
    )
    sheet.set("optimizer_in_bwd", False)
    if recipe.optimizer == "lion":
        sheet.note("pip install lion-pytorch")
    if recipe.optimizer == "muon":
        sheet.note("torchtune takes one optimizer for all parameters, so this is AdamW at the rate of adam_rate")
        hf.put_muon_note(sheet, run)


def _rate(sheet: Sheet, run: Run) -> None:
    recipe = run.training
    if recipe.schedule == "constant" and not recipe.warmup:
        sheet.note("no lr_scheduler: the rate stays", *rates.KNOBS)
        return
    steps = run.need_steps("torchtune counts the steps of the warm-up")
    found = hf.scheduler(run)
    words: dict[str, Any] = {"num_warmup_steps": run.warmup, **found.kwargs}
    if found.kind == "cosine":
        path = "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup"
    elif found.kind in _FUNCTIONS:
        path = f"transformers.optimization.{_FUNCTIONS[found.kind]}"
    else:  # the full rate after the warm-up: a decay of no steps
        path, words = "transformers.optimization.get_wsd_schedule", {**words, "num_decay_steps": 0}
    late = (
        found.climb if run.warmup else "",
        "needs transformers" if path.startswith("transformers") else "",
        *found.notes,
    )
    sheet.set(
        "lr_scheduler", {"_component_": path, **words}, *rates.KNOBS, why="; ".join(part for part in late if part)
    )
    if not found.exact and not found.kwargs:
        sheet.note(
            "for the recipe's rates name in its place a function of yours that returns LambdaLR(optimizer, "
            f"lambda step: factor(step, {steps})) with"
        )
        sheet.code(rates.source(run))
