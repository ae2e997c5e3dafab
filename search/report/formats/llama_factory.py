"""LLaMA-Factory: YAML for llamafactory-cli train, pre-training (stage pt) of the whole model."""

from __future__ import annotations

from hpo.search.report.formats.common import huggingface as hf
from hpo.search.report.formats.common import model
from hpo.search.report.formats.common.run import Run
from hpo.search.report.formats.common.sheet import Sheet

SUFFIX = ".yaml"
TAKES = ("causal",)
CHECKED = "LLaMA-Factory 0.9.5"
KEYS = (
    "model_name_or_path", "train_from_scratch", "stage", "do_train", "finetuning_type", "dataset", "cutoff_len",
    "packing", "output_dir", "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate",
    "lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps", "warmup_ratio", "optim", "optim_args", "adam_beta1",
    "adam_beta2", "adam_epsilon", "weight_decay", "max_grad_norm", "max_steps", "num_train_epochs", "val_size",
    "eval_strategy", "eval_steps", "disable_gradient_checkpointing", "bf16", "seed",
)  # fmt: skip


def write(run: Run) -> str:
    """The recipe as pre-training by LLaMA-Factory."""
    sheet = Sheet(run, "LLaMA-Factory", CHECKED)
    sheet.note("start with: FORCE_TORCHRUN=1 llamafactory-cli train FILE")
    sheet.section("model")
    sheet.set("model_name_or_path", "MODEL", why="a folder with config.json and tokenizer")
    sheet.set("train_from_scratch", True, why="random weights of that config; false goes on from its own")
    model.note_model(sheet, run)
    model.note_rest(sheet, run)
    on = bool(run.knobs.get("checkpoint_activations"))
    sheet.set("disable_gradient_checkpointing", not on, "checkpoint_activations", why="on unless disabled")
    sheet.section("method and data")
    sheet.set("stage", "pt")
    sheet.set("do_train", True)
    sheet.set("finetuning_type", "full")
    sheet.set("dataset", "DATASET", why="a name of data/dataset_info.json")
    sheet.set("val_size", 0.1, why="or eval_dataset: a name")
    sheet.set("cutoff_len", run.context, "context")
    _packing(sheet, run)
    sheet.set("output_dir", f"{run.name}-out")
    sheet.section("batch")
    hf.put_batch(sheet, run)
    sheet.note("under DeepSpeed leave batch sizes, accumulation and clipping at auto in its file: these keys decide")
    sheet.section("learning rate and optimizer")
    hf.put_rate(sheet, run)
    hf.put_optimizer(sheet, run)
    if run.training.optimizer == "muon":
        sheet.note(
            "use_muon: true would be another Muon: it gives all parameters one rate and scales matrices by "
            "0.2 x sqrt(larger side) instead of sqrt(max(1, rows / columns))"
        )
    sheet.section("length, evaluation, numbers")
    hf.put_length(sheet, run)
    hf.put_evaluation(sheet, run)
    hf.put_precision(sheet, run)
    hf.put_seed(sheet, run)
    if run.training.label_smoothing:
        sheet.note("label_smoothing_factor of the Trainer is passed over by the model's own loss", "label_smoothing")
    sheet.rest()
    return sheet.yaml()


def _packing(sheet: Sheet, run: Run) -> None:
    pack = run.knobs.get("pack")
    if pack == "pad":
        sheet.set("packing", False, "pack", why="a document a sample")
    else:
        sheet.note(
            "stage pt joins documents into blocks of cutoff_len by itself; packing: true would shorten them by a token"
            + (", and attention crosses documents: neat_packing is for stage sft" if pack == "documents" else ""),
            "pack",
        )
    sheet.note("stage pt cuts nothing off when it joins", "truncate")
