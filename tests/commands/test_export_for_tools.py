"""`hpo export --format TOOL`: one command, one file in the tool's own keys, or one message with the remedy."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hpo.search.cli import main
from hpo.search.terms import registry

TEXT = '''
def train(*, learning_rate: float = 1e-3, batch_size: int = 8, context: int = 64, warmup: float = 0.25, epochs: int = 1,
          max_steps: int = 400, schedule: str = "cosine", optimizer: str = "mine", width: int = 32, seed: int = 0):
    """A language model of one's own."""
    yield {"val_loss": (learning_rate - 0.01) ** 2}
'''
STUDY = "objective: ./text.py\ngoal: minimize val_loss\nsearch: {learning_rate: {float: [1e-3, 1e-1], log: true}}\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of studies: of a language model of one's own, of the suite's network, of something else."""
    folder = tmp_path_factory.mktemp("tools")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("text.py").write_text(TEXT)
        Path("text.yaml").write_text(STUDY + "fixed: {batch_size: 12}\nbudget: {trials: 3}\nconfirm: none\n")
        Path("bare.py").write_text("def train(*, x: float = 0.0):\n    yield {'val_loss': x**2}\n")
        Path("bare.yaml").write_text(
            "objective: ./bare.py\ngoal: minimize val_loss\nsearch: {x: {float: [0, 1]}}\n"
            "budget: {trials: 1}\nconfirm: none\n"
        )
        assert main(["run", "text.yaml", "--quiet"]) == 0
        assert main(["run", "bare.yaml", "--quiet"]) == 0
        few = ["--trials", "1", "--confirm", "none", "--quiet"]
        assert main(["run", "lr-batch", *few, "--set", "epochs=1", "--data", "iris"]) == 0
    return folder


@pytest.fixture(autouse=True)
def place(store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(store)
    before = set(store.iterdir())
    yield
    for made in set(store.iterdir()) - before:
        made.unlink()


def keys(content: str, tool: str) -> dict[str, Any]:
    if registry.load("format", tool).SUFFIX == ".yaml":
        return dict(yaml.safe_load(content))
    body = ast.parse(content).body
    return {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in body if isinstance(node, ast.Assign)}


@pytest.mark.parametrize("tool", registry.names("format"))
def test_the_winner_goes_into_a_file_of_each_tool_and_no_file_is_replaced_unasked(
    tool: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(f"large{registry.load('format', tool).SUFFIX}")
    words = ["export", "text", "--format", tool, "--devices", "8", "--output", str(file)]
    assert main(words) == 0
    assert capsys.readouterr().out == f"wrote {file}\n"
    content = file.read_text()
    assert keys(content, tool)
    assert "8 devices" in content.replace("\n#  ", "")
    assert "text.py" in content
    assert str(Path.cwd()) not in content
    assert "8 samples = 1 on a device x 8 x 1" in content
    assert "4 less (-33.3%)" in content.replace("\n#  ", ""), "12 samples are not shared evenly by 8 devices"
    assert "optimizer (mine)" in content.replace("\n#  ", ""), "a rule of one's own is told, not guessed"
    assert main(words) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0
    assert file.read_text() == content
    assert main(words[:-2]) == 0
    assert capsys.readouterr().out.endswith(content)


def test_a_trial_is_exported_by_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    import hpo

    trials = hpo.trials("text")
    for number in range(3):
        assert main(["export", "text", "--format", "transformers", "--trial", str(number)]) == 0
        content = capsys.readouterr().out
        assert yaml.safe_load(content)["learning_rate"] == trials["params_learning_rate"][number]
        assert f"the recipe of trial {number} of" in content.replace("\n#  ", "")


def test_other_networks_go_to_the_tools_that_train_anything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "lr-batch", "--format", "transformers", "--samples", "1000"]) == 0
    found = yaml.safe_load(capsys.readouterr().out)
    batch = found["per_device_train_batch_size"] * found["gradient_accumulation_steps"]
    assert found["max_steps"] == -(-1000 // batch)
    assert main(["export", "lr-batch", "--format", "lightning"]) == 0
    assert keys(capsys.readouterr().out, "lightning")["TRAINER"]["max_epochs"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["text", "--format", "transfomers"], "did you mean 'transformers'?"),
        (["text", "--format", "llama_factory"], "did you mean 'llama-factory'?"),
        (["text", "--format", "word"], "one of: axolotl, csv,"),
        (["text", "--format", "axolotl", "--devices", "0"], "--devices counts devices from 1, got 0"),
        (["text", "--format", "axolotl", "--samples", "-3"], "--samples counts samples from 1, got -3"),
        (["text", "--format", "axolotl", "--trial", "9"], "has no trial 9; it has 3, counted from 0"),
        (["text", "--format", "axolotl", "--top", "2"], "--trial N"),
        (["text", "--devices", "2"], "--devices goes with the format of a tool: add --format"),
        (["text", "--format", "csv", "--trial", "1"], "--trial goes with the format of a tool"),
        (["lr-batch", "--format", "axolotl"], "take --format lightning or transformers"),
        (["lr-batch", "--format", "nanogpt"], "take --format lightning or transformers"),
        (["bare", "--format", "transformers"], "has no knob learning_rate"),
        (["none", "--format", "transformers"], "there is no study 'none'"),
    ],
)
def test_a_mistake_gets_one_message_and_nothing_is_written(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *words, "--output", "out.yaml"]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed
    assert len(printed.splitlines()) == 1
    assert not Path("out.yaml").exists()


def test_the_number_of_steps_is_asked_for_where_a_tool_cannot_do_without(capsys: pytest.CaptureFixture[str]) -> None:
    Path("epochs.yaml").write_text(STUDY + "name: epochs\nfixed: {max_steps: 0}\nbudget: {trials: 1}\nconfirm: none\n")
    assert main(["run", "epochs.yaml", "--quiet"]) == 0
    capsys.readouterr()
    for tool in ("nanogpt", "torchtune"):
        assert main(["export", "epochs", "--format", tool]) == 2
        assert "give --samples N" in capsys.readouterr().err
        assert main(["export", "epochs", "--format", tool, "--samples", "800"]) == 0
        assert "100 optimizer steps, 25 of them warm-up" in capsys.readouterr().out
    assert main(["delete", "epochs", "--yes"]) == 0


def test_the_formats_are_named_by_the_commands_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "llama-factory" in shown
    assert all(name in shown for name in registry.names("format"))
