"""Language models as objectives: what is scored, what a document sees, and that all promises hold for them."""

from __future__ import annotations

import json
import math
import random
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from forked import Forked

from hpo.objectives.trainer import train_alone
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.language import horizon, size, steps
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.text import TextData
from hpo.objectives.trainer.together import Cohort
from hpo.objectives.trainer.token_scores import TokenSums
from hpo.search.cli import main
from hpo.search.store import open_store
from hpo.search.terms import registry
from hpo.search.terms.errors import DataError, UserError
from hpo.search.terms.job import Task

WORDS = ["the", "cat", "sat", "on", "a", "mat", "dog", "ran", "far", "away", "æble", "naïve"]
SMALL: dict[str, Any] = {
    "depth": 1, "width": 16, "heads": 2, "context": 16, "max_steps": 6, "eval_every": 3, "score_bytes": 600,
    "batch_size": 4, "seed": 1,
}  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore::hpo.search.terms.errors.Advice")


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Some hundred short documents, in a working directory of their own."""
    monkeypatch.chdir(tmp_path)
    draw = random.Random(0)
    lines = [" ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 40))) for _ in range(300)]
    (tmp_path / "mine.txt").write_text("\n\n".join(lines), encoding="utf-8")
    return {"text": {"path": str(tmp_path / "mine.txt"), "documents": "blank"}}


def problem(text: Any, objective: str = "gpt") -> Problem:
    return Problem(registry.load("objective", objective), Task(objective, data=text))


def uniform(inputs: torch.Tensor, data: TextData) -> torch.Tensor:
    """Outputs that hold all symbols for equally likely."""
    positions = inputs.shape[-1]
    return torch.zeros(*inputs.shape[:2], positions, data.symbols)


@pytest.mark.parametrize("tokenizer", ["bytes", "char", "bpe"])
@pytest.mark.parametrize("pack", ["stream", "documents", "pad"])
@pytest.mark.parametrize("context", [7, 16])
def test_bits_per_byte_are_of_the_same_text_whatever_the_tokenizer_the_packing_and_the_context(
    text: Any, tokenizer: str, pack: str, context: int
) -> None:
    if tokenizer == "bpe":
        pytest.importorskip("tokenizers", reason="bpe needs the extra [text]")
    knobs = {**SMALL, "tokenizer": tokenizer, "vocabulary": 300, "pack": pack, "context": context}
    data: Any = problem(text).setup(knobs).data
    tokens = data.validation.tokens
    assert tokens.bytes == problem(text).setup(SMALL).data.validation.tokens.bytes  # type: ignore[attr-defined]
    (scored,) = data.score(lambda x: uniform(x, data), data.validation, 1, None)
    targets = len(tokens.ids) - 1
    assert scored["loss"] == pytest.approx(math.log(data.symbols), rel=1e-6)
    assert scored["bpb"] == pytest.approx(targets * math.log2(data.symbols) / tokens.bytes, rel=1e-6)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_a_packed_document_has_the_loss_it_has_alone_in_a_row(text: Any, positions: str) -> None:
    """So packing is padding with other rows: the same sum over all targets, and the same gradient."""
    found = []
    for pack in ("documents", "pad"):
        setup = problem(text).setup({**SMALL, "pack": pack, "context": 64, "positions": positions})
        data: Any = setup.data
        row = Lane(0, setup).rows["weights"].double().requires_grad_()
        index = np.arange(len(data.train))
        inputs, targets = data.train.read(torch.from_numpy(index), None)
        outputs = setup.network.forward(setup.network.views(row.unsqueeze(0)), inputs.unsqueeze(0), None)[0]
        total = F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="sum")
        (gradient,) = torch.autograd.grad(total, row)
        found.append((total.detach(), gradient, len(index), int((targets >= 0).sum())))
    (packed, padded) = found
    assert packed[3] == padded[3]
    assert packed[2] < padded[2]
    torch.testing.assert_close(packed[0], padded[0], rtol=1e-12, atol=0)
    torch.testing.assert_close(packed[1], padded[1], rtol=0, atol=1e-10)


def test_each_pass_over_a_stream_begins_elsewhere_and_shows_every_window_once(text: Any) -> None:
    data: Any = problem(text).setup(SMALL).data
    count = len(data.train)
    index = np.arange(count)
    first, second = (data.train.locate(1, np.full(count, number), index)[0] for number in (0, 1))
    assert set(np.diff(np.sort(first))) == {16}
    assert first.min() != second.min()
    assert max(first.max(), second.max()) + 16 < len(data.splits.tokenized.train.ids)


@pytest.mark.parametrize("pack", ["stream", "documents"])
def test_dynamic_masks_change_from_pass_to_pass_and_static_ones_do_not(text: Any, pack: str) -> None:
    for masking in ("dynamic", "static"):
        data: Any = problem(text, "masked").setup({**SMALL, "masking": masking, "pack": pack}).data
        index = np.arange(8)
        read = []
        for number in (0, 1):
            at, keys = data.train.locate(1, np.full(8, number), index)
            read.append(data.train.read(torch.from_numpy(at), torch.from_numpy(keys.view(np.int64))))
            counted = data.train.weights(at, keys, 0)
            assert counted.tolist() == (read[-1][1] >= 0).sum(dim=1).tolist()
        same = torch.equal(read[0][1], read[1][1]) and torch.equal(read[0][0], read[1][0])
        assert same == (masking == "static")


def test_masked_models_are_scored_on_masks_that_no_knob_changes(text: Any) -> None:
    chosen = {}
    for rate, masking, unit in ((0.15, "dynamic", "token"), (0.5, "static", "word")):
        knobs = {**SMALL, "mask_rate": rate, "masking": masking, "mask_unit": unit}
        data: Any = problem(text, "masked").setup(knobs).data
        seen: list[torch.Tensor] = []
        data.score(lambda x, seen=seen, data=data: (seen.append(x), uniform(x, data))[1], data.validation, 1, None)
        chosen[rate] = torch.cat([x[0] for x in seen])
    assert torch.equal(*chosen.values())


def test_scores_of_a_part_are_summed_in_pieces_of_bounded_size(text: Any) -> None:
    setup = problem(text).setup(SMALL)
    data: Any = setup.data
    largest = 0

    def forward(inputs: torch.Tensor) -> torch.Tensor:
        nonlocal largest
        outputs = uniform(inputs, data)
        largest = max(largest, outputs.numel())
        return outputs

    data.score(forward, data.validation, 4, None)
    assert largest <= 4 * (1 << 22)
    assert TokenSums(1, data.device).scores() == [{"loss": 0.0, "accuracy": 0.0}]


def test_a_batch_that_fits_the_memory_is_found_for_text_too(text: Any) -> None:
    knobs = {**SMALL, "batch_size": "auto", "tokens_per_step": 4096, "context": 64, "width": 64}
    sizes = []
    for limit in (20, 60):
        task = Task("gpt", data=text, memory_limit=limit)
        setup = Problem(registry.load("objective", "gpt"), task).setup(knobs)
        assert setup.recipe.first_batch == 64
        sizes.append(setup.cut(setup.recipe.first_batch)[0])
    assert 1 <= sizes[0] < sizes[1] <= 64


def test_activations_computed_again_change_no_bit(text: Any) -> None:
    module = registry.load("objective", "gpt")
    curves = [
        list(train_alone(module, Task("gpt", data=text), {**SMALL, "dropout": 0.1, "checkpoint_activations": again}))
        for again in (False, True)
    ]
    assert curves[0] == curves[1]


def test_a_shorter_context_at_first_costs_less_and_ends_at_the_whole_one(text: Any) -> None:
    setup = problem(text).setup({**SMALL, "length_warmup": 0.6, "eval_every": 1, "dropout": 0.1})
    lane = Lane(0, setup)
    lengths = []
    while not lane.done:
        lengths.append(lane.length)
        Cohort().advance([lane])
        assert not lane.failure
    assert lengths[0] == 2
    assert lengths == sorted(lengths)
    assert lengths[-1] == 16


@pytest.mark.parametrize(
    ("objective", "knobs", "said"),
    [
        ("gpt", {"heads": 3}, "heads"),
        ("gpt", {"context": 100_000}, "context 100000"),
        ("gpt", {"mixup": 0.2}, "mixup needs inputs that are real numbers"),
        ("gpt", {"class_weight": "balanced"}, "class_weight needs one target per sample"),
        ("masked", {"mask_symbol": 0.8, "mask_random": 0.4}, "more than all"),
        ("gpt", {"tokenizer": "words"}, "words"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_the_knob(text: Any, objective: str, knobs: Any, said: str) -> None:
    with pytest.raises((UserError, DataError), match=said):
        problem(text, objective).setup({**SMALL, **knobs})


def test_data_that_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(DataError, match="text"):
        problem("digits").setup(SMALL)


def test_the_recipe_alone_tells_how_long_a_curve_is(text: Any) -> None:
    for knobs in ({}, {"max_tokens": 1000, "max_steps": 0, "eval_every": 0}, {"max_steps": 50, "eval_every": 0}):
        recipe = {**SMALL, **knobs}
        lane = Lane(0, problem(text).setup(recipe))
        assert lane.plan.total == steps(recipe)
        assert lane.plan.epochs == horizon(recipe)
        assert size(recipe)["tokens"] == pytest.approx(lane.plan.total * 64)


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({}, True),
        ({"max_tokens": 1000, "max_steps": 0, "eval_every": 4}, True),
        ({"length_warmup": 0.5, "max_steps": 8, "eval_every": 2}, False),  # shorter at first than it says
        ({"max_steps": 0, "epochs": 2, "eval_every": 100}, False),  # only the text says how long that is
    ],
)
def test_points_count_the_tokens_trained_on(text: Any, knobs: Any, told: bool) -> None:
    recipe = {**SMALL, **knobs}
    setup = problem(text).setup(recipe)
    lane, cohort, counted = Lane(0, setup), Cohort(), list[float]()
    while not lane.done:
        cohort.advance([lane])
        counted.append(lane.metrics["tokens"])
    assert counted == sorted(set(counted))
    if told:
        assert 0 <= size(recipe)["tokens"] - counted[-1] < size(recipe)["tokens_per_step"]  # the last may be smaller
    elif "epochs" in knobs:
        assert counted[-1] == 2 * len(setup.data.train) * setup.data.context
    else:
        assert counted[-1] < size(recipe)["tokens"]


def test_a_text_without_a_test_part_has_a_winner_that_is_not_tested(text: Any, told: Callable[..., str]) -> None:
    data = {"text": {**text["text"], "test": 0}}
    Path("mine.yaml").write_text(
        f"objective: gpt\ndata: {json.dumps(data)}\ngoal: minimize val_bpb\n"
        "search: {learning_rate: {float: [1.0e-3, 3.0e-2], log: true}}\n"
        "fixed: {max_steps: 4, eval_every: 4, width: 16, depth: 1, heads: 2, context: 16, score_bytes: 500}\n"
        "budget: {trials: 2}\nconfirm: none\n"
    )
    ran = told("run", "mine.yaml")
    assert "winner trial" in ran
    assert "measured once" not in ran
    assert "could not be tested" not in ran


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["gpt", "masked"])
def test_a_study_on_ones_own_text_ends_in_a_model_whose_curve_is_the_recorded_one(
    text: Any, objective: str, told: Callable[..., str]
) -> None:
    Path("mine.yaml").write_text(
        f"# Mine\nobjective: {objective}\ndata: {json.dumps(text)}\ngoal: minimize val_bpb\n"
        "search: {learning_rate: {float: [1.0e-3, 3.0e-2], log: true}, pack: {choice: [stream, documents]}}\n"
        "fixed: {max_steps: 8, eval_every: 4, width: 16, depth: 1, heads: 2, context: 16, score_bytes: 500}\n"
        "budget: {trials: 3}\nconfirm: {top: 2, seeds: 1}\n"
    )
    ran = told("run", "mine.yaml")
    assert "keeps a core busy with one trial at a time" in ran
    assert "test split, measured once: bpb" in ran
    told("export", "--study", "mine", "--output", "best.yaml")
    trained = told("train", "best.yaml", "--evaluate", "mine.txt")
    assert "the curve equals the recorded one exactly" in trained
    assert "a look at it:" in trained
    assert "mine.txt: loss" in trained
    assert "the curve equals the recorded one" in told("replay", "mine", "1")
    about = json.loads(Path("mine-model", "model.json").read_text())
    assert about["preprocessing"]["tokenizer"] == "bytes"


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a command says that ends well."""
    monkeypatch.delenv("HPO_STORAGE", raising=False)

    def run(*words: str) -> str:
        capsys.readouterr()
        code = main(words)
        said = "".join(capsys.readouterr())
        assert code == 0, said
        return said

    return run


def test_a_row_that_is_cut_counts_what_is_left_of_it(text: Any) -> None:
    """So the mean loss of a step is that of its targets, however long its rows are."""
    for objective in ("gpt", "masked"):
        knobs = {**SMALL, "learning_rate": 1e-9, "eval_every": 1, "max_steps": 4}
        means = []
        for warmup in (0.0, 0.9):
            lane = Lane(0, problem(text, objective).setup({**knobs, "length_warmup": warmup}))
            Cohort().advance([lane])
            means.append(lane.metrics["train_loss"])
        assert means[1] == pytest.approx(means[0], rel=0.15)


def test_a_context_of_one_token_is_trained(text: Any) -> None:
    lane = Lane(0, problem(text).setup({**SMALL, "context": 1}))
    Cohort().advance([lane])
    assert math.isfinite(lane.metrics["val_bpb"])


@pytest.mark.parametrize("knobs", [{"context": 7}, {"pack": "pad", "truncate": "tail"}, {"pack": "documents"}])
def test_masked_models_are_to_find_out_the_same_whatever_the_rows(text: Any, knobs: dict[str, Any]) -> None:
    found = []
    for more in ({}, knobs):
        data: Any = problem(text, "masked").setup({**SMALL, **more}).data
        part = data.validation
        targets = part.gather(np.arange(len(part))).targets
        found.append((sorted(targets[targets >= 0].tolist()), part.bytes))
    assert found[0] == found[1]


def test_which_character_an_unknown_one_is_has_its_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw = random.Random(1)
    strange = ["".join(chr(draw.randint(0x4E00, 0x9FFF)) for _ in range(30)) for _ in range(60)]
    (tmp_path / "t.txt").write_text("\n".join(["plain words of a text"] * 200 + strange), encoding="utf-8")
    data: Any = problem({"text": {"path": "t.txt"}}).setup({**SMALL, "tokenizer": "char", "score_bytes": 0}).data
    unknown = data.splits.tokenized.unspelled
    wanted = [math.log(size) for size in (128, 1920, 61440, 1048576)]
    assert unknown[unknown > 0].tolist() == pytest.approx(wanted, rel=0.04)
    targets = data.validation.gather(np.arange(len(data.validation))).targets
    (scored,) = data.score(lambda x: uniform(x, data), data.validation, 1, None)
    price = unknown[targets[targets >= 0]].sum() / math.log(2) / data.validation.bytes
    plain = (targets >= 0).sum() * math.log2(data.symbols) / data.validation.bytes
    assert scored["bpb"] == pytest.approx(plain + price)
    assert price > 3


def test_a_disk_too_full_for_the_tokens_ends_the_command_and_the_trial_is_taken_up_when_there_is_room(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.txt").write_text("\n\n".join(" ".join(WORDS * 20) for _ in range(400)), encoding="utf-8")
    knobs = {**SMALL, "max_steps": 2, "eval_every": 1, "data": None, "seed": None}
    study = {
        "name": "full", "objective": "gpt", "goal": "minimize val_bpb", "pruner": "none", "budget": {"trials": 2},
        "data": {"text": {"path": "mine.txt", "documents": "blank"}}, "search": {"dropout": {"float": [0, 0.5]}},
        "fixed": {knob: value for knob, value in knobs.items() if value is not None}, "confirm": "none",
    }  # fmt: skip
    (tmp_path / "full.yaml").write_text(json.dumps(study))

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    words = ["run", "full.yaml", "--quiet"]
    full = Forked(words, tmp_path, before=small)
    _, errors = full.communicate(timeout=120)
    assert full.returncode == 4, errors
    assert errors.count("make room there") == len(errors.splitlines()) == 1
    assert [trial.state.name for trial in _trials(tmp_path)] == ["RUNNING"]
    again = Forked(words, tmp_path)
    _, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert [trial.state.name for trial in _trials(tmp_path)] == ["COMPLETE"] * 2


def _trials(folder: Path) -> list[Any]:
    snapshot = open_store(folder / "hpo.db").read("full")
    assert snapshot is not None
    return list(snapshot.trials)
