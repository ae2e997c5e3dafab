"""The keys of every format are the tool's own: held against the fields of a version, and of what is installed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from exporting import fields, network, run, text, written

from hpo.search.terms import registry

LISTS = {
    name: set(listed.split())
    for name, listed in yaml.safe_load((Path(__file__).parent / "fields.yaml").read_text()).items()
}


def listed(tool: str) -> set[str]:
    return next(found for name, found in LISTS.items() if name.split()[0] == tool)


RECIPES: list[dict[str, Any]] = [
    {}, {"schedule": "linear", "floor": 0.1}, {"schedule": "wsd", "warmup": 0.1}, {"optimizer": "rmsprop"},
    {"optimizer": "sgd", "nesterov": True}, {"schedule": "step"}, {"precision": "bfloat16", "label_smoothing": 0.1},
    {"max_steps": 0, "warmup": 0.1}, {"clip_norm": 1.0, "eval_every": 10},
]  # fmt: skip


@pytest.mark.parametrize(
    ("tool", "known"),
    [
        ("transformers", listed("transformers")),
        ("llama-factory", listed("llamafactory") | listed("transformers") | {"warmup_ratio"}),
        ("axolotl", listed("axolotl")),
        ("torchtune", listed("torchtune")),
        ("nanogpt", listed("nanoGPT")),
    ],
)
def test_every_key_is_a_field_of_the_version_it_was_checked_against(tool: str, known: set[str]) -> None:
    module = registry.load("format", tool)
    assert set(module.KEYS) <= known
    assert len(known) > 20


def test_the_keywords_of_lightnings_trainer_are_its_own() -> None:
    assert set(registry.load("format", "lightning").TRAINER) <= listed("lightning")


@pytest.mark.parametrize(
    ("package", "tool", "files"),
    [
        ("llamafactory", "llama-factory", ("data_args.py", "finetuning_args.py", "model_args.py")),
        ("axolotl", "axolotl", ("config.py", "training.py", "model.py", "deprecated.py")),
    ],
)
def test_every_key_is_a_field_of_the_version_that_is_installed(package: str, tool: str, files: tuple[str, ...]) -> None:
    folder = {"llamafactory": "hparams", "axolotl": "utils/schemas"}[package]
    found = fields(package, *(f"{folder}/{file}" for file in files))
    if not found:
        pytest.skip(f"{package} is not installed")
    inherited = listed("transformers") | {"warmup_ratio"} if tool == "llama-factory" else set()
    assert set(registry.load("format", tool).KEYS) <= found | inherited


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_transformers_reads_the_file_and_takes_every_value(tmp_path: Path, recipe: dict[str, Any]) -> None:
    transformers = pytest.importorskip("transformers", reason="pip install transformers accelerate")
    pytest.importorskip("accelerate")
    made = run(devices=2, **recipe)
    content = yaml.safe_load(written("transformers", made)) | {"use_cpu": True}
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(content))
    (read,) = transformers.HfArgumentParser(transformers.TrainingArguments).parse_yaml_file(str(file))
    for key, value in content.items():
        given = getattr(read, key)
        assert getattr(given, "value", given) == value, key
    assert read.per_device_train_batch_size * read.gradient_accumulation_steps * 2 == made.share.effective
    assert read.get_warmup_steps(made.steps or 100) == (made.warmup if made.steps else 10)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_lightning_takes_the_trainers_keywords(recipe: dict[str, Any]) -> None:
    lightning = pytest.importorskip("lightning", reason="pip install lightning")
    space: dict[str, Any] = {}
    exec(written("lightning", run(**recipe)), space)
    on_cpu = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    trainer = lightning.Trainer(**space["TRAINER"], **on_cpu)
    assert trainer.accumulate_grad_batches == run(**recipe).share.accumulation


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe.get("max_steps") != 0], ids=str)
def test_the_components_of_torchtune_are_found_and_take_their_words(recipe: dict[str, Any]) -> None:
    if importlib.util.find_spec("torchtune") is None:
        pytest.skip("torchtune is not installed")
    torch = pytest.importorskip("torch")
    config = pytest.importorskip("torchtune.config")
    content = yaml.safe_load(written("torchtune", run(**recipe)))
    layer = torch.nn.Linear(2, 2)
    optimizer = config.instantiate(_of(content["optimizer"]), layer.parameters())
    assert optimizer.param_groups[0]["lr"] == content["optimizer"]["lr"]
    if "lr_scheduler" in content:
        config.instantiate(_of(content["lr_scheduler"]), optimizer, num_training_steps=200, last_epoch=-1)
    config.instantiate(_of(content["loss"]))


def _of(plain: Any) -> Any:
    from omegaconf import OmegaConf

    return OmegaConf.create(plain)


def test_a_masked_model_and_any_other_network_are_described_where_the_tool_takes_them() -> None:
    for tool in registry.names("format"):
        takes = registry.load("format", tool).TAKES
        if "masked" in takes:
            assert re.search("BertConfig", written(tool, run(text("masked"), max_steps=10)))
        if "" in takes:
            assert "without a key" in written(tool, run(network(), max_steps=10))
