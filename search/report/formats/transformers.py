"""transformers: YAML whose keys are fields of TrainingArguments, as HfArgumentParser.parse_yaml_file reads it."""

from __future__ import annotations

from hpo.search.report.formats.common import huggingface as hf
from hpo.search.report.formats.common import model
from hpo.search.report.formats.common.run import Run
from hpo.search.report.formats.common.sheet import Sheet

SUFFIX = ".yaml"
TAKES = ("causal", "masked", "")
CHECKED = "transformers 5.24"
KEYS = (
    "output_dir", "per_device_train_batch_size", "gradient_accumulation_steps", "average_tokens_across_devices",
    "learning_rate", "lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps", "optim", "optim_args", "adam_beta1",
    "adam_beta2", "adam_epsilon", "weight_decay", "max_grad_norm", "max_steps", "num_train_epochs", "eval_strategy",
    "eval_steps", "label_smoothing_factor", "gradient_checkpointing", "bf16", "seed",
)  # fmt: skip


def write(run: Run) -> str:
    """The recipe as TrainingArguments."""
    sheet = Sheet(run, "transformers", CHECKED)
    sheet.note(
        "read it with: HfArgumentParser(TrainingArguments).parse_yaml_file(FILE); start with torchrun or accelerate"
    )
    sheet.set("output_dir", f"{run.name}-out")
    sheet.section("batch")
    hf.put_batch(sheet, run)
    if run.language:
        sheet.set("average_tokens_across_devices", True, why="the loss of a step is a mean over its tokens, as here")
    sheet.note("under DeepSpeed leave batch sizes, accumulation and clipping at auto in its file: these keys decide")
    sheet.section("learning rate")
    hf.put_rate(sheet, run, ratio="warmup_steps")
    if not run.steps and run.training.warmup:
        sheet.note("below 1 warmup_steps is a share of the steps; in transformers 4 this key is warmup_ratio")
    sheet.section("optimizer")
    hf.put_optimizer(sheet, run)
    sheet.section("length, evaluation, numbers")
    hf.put_length(sheet, run)
    hf.put_evaluation(sheet, run)
    if run.training.label_smoothing:
        sheet.set("label_smoothing_factor", run.training.label_smoothing, "label_smoothing")
    if run.knobs.get("checkpoint_activations"):
        sheet.set("gradient_checkpointing", True, "checkpoint_activations", why="activation_checkpointing from 5.24 on")
    hf.put_precision(sheet, run)
    hf.put_seed(sheet, run)
    if run.language:
        _language(sheet, run)
    sheet.rest()
    return sheet.yaml()


def _language(sheet: Sheet, run: Run) -> None:
    sheet.section("model and data, which your script makes")
    model.note_model(sheet, run)
    model.note_rest(sheet, run)
    ways = {
        "stream": "join all documents, cut into blocks of context tokens (group_texts of run_clm.py)",
        "documents": "pack whole documents and use DataCollatorWithFlattening, which keeps them apart",
        "pad": "a document a sample, padded by the collator",
    }
    sheet.note(ways.get(str(run.knobs.get("pack")), "how documents become samples"), "pack")
    sheet.note("longer documents: truncation in your tokenizer call, or windows of them", "truncate")
    if run.language == "masked":
        names = {
            "mlm_probability": "mask_rate",
            "mask_replace_prob": "mask_symbol",
            "random_replace_prob": "mask_random",
        }
        words = [f"{key}={run.knobs[knob]!r}" for key, knob in names.items() if knob in run.knobs]
        words += ["whole_word_mask=True"] if run.knobs.get("mask_unit") == "word" else []
        when = (
            "draws anew in every epoch: mask beforehand instead"
            if run.knobs.get("masking") == "static"
            else "draws anew"
        )
        sheet.note(
            f"DataCollatorForLanguageModeling(tokenizer, {', '.join(words)}) {when}",
            "masking", "mask_rate", "mask_unit", "mask_symbol", "mask_random",
        )  # fmt: skip
