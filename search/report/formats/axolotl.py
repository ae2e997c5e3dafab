"""axolotl: YAML for axolotl train, pre-training on a stream of text."""

from __future__ import annotations

from hpo.search.report.formats.common import huggingface as hf
from hpo.search.report.formats.common import model
from hpo.search.report.formats.common.run import Run
from hpo.search.report.formats.common.sheet import Sheet

SUFFIX = ".yaml"
TAKES = ("causal",)
CHECKED = "axolotl 0.19"
KEYS = (
    "base_model", "reinit_weights", "overrides_of_model_config", "pretraining_dataset", "streaming", "datasets",
    "sequence_len", "sample_packing", "pretrain_multipack_attn", "pretraining_sample_concatenation",
    "pad_to_sequence_len", "micro_batch_size", "gradient_accumulation_steps", "learning_rate", "lr_scheduler",
    "lr_scheduler_kwargs", "warmup_steps", "warmup_ratio", "optimizer", "optim_args", "adam_beta1", "adam_beta2",
    "adam_epsilon", "weight_decay", "max_grad_norm", "max_steps", "num_epochs", "eval_strategy", "eval_steps",
    "save_steps", "val_set_size", "early_stopping_patience", "gradient_checkpointing", "bf16", "seed", "output_dir",
)  # fmt: skip


def write(run: Run) -> str:
    """The recipe as pre-training by axolotl."""
    sheet = Sheet(run, "axolotl", CHECKED)
    sheet.note("start with: axolotl train FILE")
    sheet.section("model")
    sheet.set("base_model", "MODEL", why="a folder with config.json and tokenizer")
    sheet.set("reinit_weights", True, why="random weights of that config; false goes on from its own")
    if model.style(run):
        name, words, carried = model.config(run)
        sheet.set("overrides_of_model_config", words, *carried)
        sheet.note(f"MODEL must be of {name}", *model.STYLE)
    else:
        model.note_model(sheet, run)
    model.note_rest(sheet, run)
    sheet.set("gradient_checkpointing", bool(run.knobs.get("checkpoint_activations")), "checkpoint_activations")
    sheet.section("data")
    _data(sheet, run)
    sheet.section("batch")
    hf.put_batch(sheet, run, "micro_batch_size")
    sheet.note("micro_batch_size is of one device; batch_size, which would be of all, is left out on purpose")
    sheet.note("under DeepSpeed leave batch sizes, accumulation and clipping at auto in its file: these keys decide")
    sheet.section("learning rate and optimizer")
    _rate(sheet, run)
    hf.put_optimizer(sheet, run, "optimizer")
    if run.training.optimizer == "muon":
        sheet.note(
            "optimizer: muon would be another Muon: it gives all parameters one rate, momentum 0.95, and scales "
            "matrices by sqrt(rows / columns) instead of sqrt(max(1, rows / columns))"
        )
    sheet.section("length, evaluation, numbers")
    hf.put_length(sheet, run, "num_epochs")
    _evaluation(sheet, run)
    hf.put_precision(sheet, run)
    hf.put_seed(sheet, run)
    sheet.set("output_dir", f"./{run.name}-out")
    sheet.rest()
    return sheet.yaml()


def _data(sheet: Sheet, run: Run) -> None:
    pack = run.knobs.get("pack")
    if run.steps:
        sheet.set("pretraining_dataset", [{"path": "DATASET", "type": "pretrain"}])
        sheet.set("streaming", True, why="it needs max_steps")
    else:
        sheet.set("datasets", [{"path": "DATASET", "type": "completion"}], why="epochs need a set that is no stream")
    sheet.set("sequence_len", run.context, "context")
    sheet.set("sample_packing", pack != "pad", "pack")
    if pack == "documents":
        sheet.set("pretrain_multipack_attn", True, why="attention stays within a document")
    elif pack != "pad":
        sheet.set("pretrain_multipack_attn", False, why="attention crosses documents, as under pack: stream")
        sheet.set("pretraining_sample_concatenation", True)
    sheet.set("pad_to_sequence_len", True)
    sheet.note("documents longer than sequence_len are cut into pieces, none is dropped", "truncate")


def _rate(sheet: Sheet, run: Run) -> None:
    """As the Trainer's; axolotl has one-cycle beside its schedules."""
    recipe = run.training
    if recipe.schedule != "one-cycle" or recipe.floor > 1 / 250000 or not run.steps or recipe.optimizer == "muon":
        hf.put_rate(sheet, run, kind="lr_scheduler", least="left out it would be some, and of 1 axolotl makes 2")
        return
    sheet.set("learning_rate", run.peak, "learning_rate", "coupling", "reference_batch")
    sheet.set("lr_scheduler", "one_cycle", "schedule", "floor", why="as torch's OneCycleLR, and as the recipe's")
    words = {
        "pct_start": float(recipe.warmup or 0.3),
        "div_factor": 25.0,
        "final_div_factor": 1e4,
        "cycle_momentum": False,
    }
    sheet.set("lr_scheduler_kwargs", words, "warmup")


def _evaluation(sheet: Sheet, run: Run) -> None:
    sheet.set("val_set_size", 0.0 if run.steps else 0.1, why="a stream needs test_datasets" if run.steps else "")
    if not (every := run.evaluate):
        sheet.set("eval_strategy", "epoch", "eval_every")
        sheet.note("early stopping needs eval_steps and save_steps: add them with early_stopping_patience", "patience")
        return
    sheet.set("eval_steps", every, "eval_every")
    if run.training.patience:
        sheet.set("save_steps", every, why="early stopping needs it")
        sheet.set("early_stopping_patience", run.training.patience, "patience")
