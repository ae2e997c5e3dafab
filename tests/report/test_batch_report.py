"""What a study tells of batch size: planted truths come back, and what cannot be told is not."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpo.objectives.trainer.gradient_noise import NoiseRecord
from hpo.search import cli
from hpo.search.report import batch
from hpo.search.report.study import StudyReport, Trial
from hpo.search.store import open_store

SIZES, STEPS = [16, 32, 64, 128], [1, 2, 4, 8]


def choice(values: Sequence[int]) -> dict[str, Any]:
    return {"domain": {"kind": "choice", "values": list(values)}, "when": []}


def trial(number: int, value: float, *, state: str = "complete", seconds: float = 1.0, **knobs: Any) -> Trial:
    metrics = knobs.pop("metrics", {})
    return Trial(number, knobs, ((1, value),), state, (value,), seconds, metrics=metrics)


def study(trials: Sequence[Trial], space: Mapping[str, Any] | None = None, **fixed: Any) -> StudyReport:
    rate = {"domain": {"kind": "float", "low": 1e-4, "high": 1.0, "log": True, "step": None}, "when": []}
    searched = space or {"learning_rate": rate, "batch_size": choice(SIZES), "accumulation_steps": choice(STEPS)}
    known = {"space": searched, "fixed": fixed}
    return StudyReport("s", "", ("minimize loss",), None, {}, 0, 1, 0.0, tuple(trials), None, known)


def noise(variance: float, square: float, error: float = 0.0) -> dict[str, float]:
    """Averages of a run, with standard errors relative to their size."""
    return {
        "gradient_variance": variance, "gradient_variance_error": abs(variance) * error,
        "gradient_square": square, "gradient_square_error": abs(square) * error,
    }  # fmt: skip


def tried(exponent: float, jitter: float = 0.0) -> list[Trial]:
    """Five rates at each factorization; the best one is 1e-4 * effective batch ** exponent."""
    generator = np.random.default_rng(0)
    found = []
    for size in SIZES:
        for steps in STEPS:
            best = 1e-4 * (size * steps) ** exponent * math.exp(jitter * generator.normal())
            for away in (0, -2, -1, 1, 2):
                knobs = {"learning_rate": best * 2.0**away, "batch_size": size, "accumulation_steps": steps}
                state = "complete" if not away else "pruned"
                found.append(trial(len(found), 0.1 + away**2, state=state, **knobs))
    return found


def gaussian_windows(count: int, square: float, variance: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """S and G of windows of 4 micro-batches of 8 samples, drawn from a true gradient of 50 components."""
    generator = np.random.default_rng(1)
    micro = math.sqrt(square / 50) + generator.normal(size=(count, 4, 50)) * math.sqrt(variance / 50 / 8)
    mean = micro.mean(axis=1)
    spread = 8 / 3 * np.square(micro - mean[:, None]).sum(axis=(1, 2))
    return np.stack([spread, np.square(mean).sum(axis=1) - spread / 32], axis=1)


# --- noise scale -----------------------------------------------------------------------------------------------------


def test_a_planted_noise_scale_comes_back_within_its_interval_and_the_average_of_ratios_does_not() -> None:
    windows, record = gaussian_windows(4000, 0.05, 30.0), NoiseRecord()
    for epoch in np.array_split(windows, 17):
        record.add(epoch)
    found = batch.noise_scale([record.metrics()])
    assert found is not None
    assert found.low < 600 < found.high
    assert found.high / found.low < 1.5
    ratios = float(np.mean(windows[:, 0] / windows[:, 1]))
    assert not found.low < ratios < found.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    told = []
    for run in np.array_split(gaussian_windows(40_000, 0.05, 30.0), 200):
        record = NoiseRecord()
        record.add(run)
        found = batch.noise_scale([record.metrics()])
        told += [found] if found is not None else []
    assert len(told) > 150
    assert sum(found.low < 600 < found.high for found in told) >= 0.92 * len(told)


def test_errors_are_those_of_the_mean_and_a_trend_is_no_noise() -> None:
    windows = np.random.default_rng(2).normal(size=(900, 2))
    flat, falling = NoiseRecord(), NoiseRecord()
    flat.add(windows)
    falling.add(windows + np.linspace(100, 0, 900)[:, None])
    assert flat.metrics()["gradient_square_error"] == pytest.approx(1 / 30, rel=0.1)
    assert falling.metrics()["gradient_square_error"] == pytest.approx(1 / 30, rel=0.1)


def test_averages_do_not_depend_on_how_windows_fall_into_epochs() -> None:
    windows, whole, parts = gaussian_windows(50, 1.0, 5.0), NoiseRecord(), NoiseRecord()
    whole.add(windows)
    for epoch in (windows[:1], windows[1:1], windows[1:20], windows[20:]):
        parts.add(epoch)
    assert parts.metrics() == pytest.approx(whole.metrics())
    assert NoiseRecord().metrics() == {}


def test_runs_are_joined_by_the_ratio_of_their_averages() -> None:
    found = batch.noise_scale([noise(10, 1.0, 0.01), noise(10, 0.1, 0.01)])
    assert found is not None
    assert found.value == pytest.approx(20 / 1.1)  # the average of ratios is 55


@pytest.mark.parametrize("metrics", [noise(10, -0.1, 0.1), noise(10, 0.1, 0.6), {"gradient_square": 1.0}, {}])
def test_a_gradient_not_clearly_above_its_noise_identifies_no_scale(metrics: dict[str, float]) -> None:
    assert batch.noise_scale([metrics]) is None


def test_the_better_half_of_the_complete_trials_tells_the_studys_noise_scale() -> None:
    knobs = {"learning_rate": 0.1, "batch_size": 16, "accumulation_steps": 2}
    good = [trial(i, 0.1 * i, metrics=noise(50, 1, 0.01), **knobs) for i in range(4)]
    bad = [trial(4 + i, 9.0, metrics=noise(1, 1, 0.01), **knobs) for i in range(3)]
    bad.append(trial(7, 0.0, state="pruned", metrics=noise(1, 1, 0.01), **knobs))
    known = batch.facts(study([*good, *bad]))
    assert known is not None
    assert known.noise is not None
    assert known.noise.value == pytest.approx(50)
    assert list(known.scales) == [0, 1, 2, 3]
    hopeless = batch.lines(study([trial(0, 1.0, metrics=noise(10, -1.0, 0.1), **knobs)]))
    assert hopeless[0].startswith("gradient noise scale: not identified")


# --- learning rate by batch ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_a_planted_exponent_comes_back(exponent: float) -> None:
    known = batch.facts(study(tried(exponent)))
    assert known is not None
    assert known.exponent is not None
    assert known.exponent.value == pytest.approx(exponent, abs=1e-9)
    assert list(known.rates) == [16, 32, 64, 128, 256, 512, 1024]
    noisy = batch.facts(study(tried(exponent, jitter=0.3)))
    assert noisy is not None
    assert noisy.exponent is not None
    assert noisy.exponent.low < exponent < noisy.exponent.high
    assert noisy.exponent.high - noisy.exponent.low < 1


def test_two_effective_batches_or_too_few_trials_identify_no_exponent() -> None:
    space = {"batch_size": choice(SIZES), "learning_rate": choice([1])}
    two = [one for one in tried(0.5) if one.point["batch_size"] * one.point["accumulation_steps"] <= 32]
    thin = [one for one in tried(0.5) if one.state == "complete" and one.point["accumulation_steps"] == 1]
    for trials in (two, thin, []):
        found = study(trials, space)
        known = batch.facts(found)
        assert known is not None
        assert known.exponent is None
        assert any("not identified; it takes 3 effective batches" in line for line in batch.lines(found))


def test_a_fixed_factor_counts_and_other_studies_are_told_nothing_of_batches() -> None:
    trials = [trial(i, 1.0 + i, learning_rate=0.1, batch_size=16) for i in range(3)]
    space = {"batch_size": choice(SIZES), "learning_rate": choice([1])}
    known = batch.facts(study(trials, space, accumulation_steps=4))
    assert known is not None
    assert known.rates == {64: 0.1}
    assert batch.facts(study(trials, {"learning_rate": choice([1])}, batch_size=16)) is None
    assert batch.lines(study(trials, {"learning_rate": choice([1])}, batch_size=16)) == []


def test_an_exponent_between_no_and_linear_scaling_is_not_identified_in_words() -> None:
    wild = [one for one in tried(0.5, jitter=3.0) if one.point["accumulation_steps"] == 1][:15]
    wild += [trial(100 + i, 9.0, learning_rate=1e-3, batch_size=128, accumulation_steps=8) for i in range(3)]
    told = [line for line in batch.lines(study(wild)) if "batch ^ e" in line]
    assert len(told) == 1
    assert "has no and linear scaling in it" in told[0]


# --- accumulation ----------------------------------------------------------------------------------------------------


def test_factorizations_of_one_effective_batch_are_one_point() -> None:
    known = batch.facts(study([]))
    assert known is not None
    assert [cut.pieces for cut in known.same[128]] == [(16, 8), (32, 4), (64, 2), (128, 1)]
    assert 16 not in known.same
    assert 1024 not in known.same


def test_an_effective_batch_is_the_batch_whatever_it_is_cut_into() -> None:
    space = {"batch_size": choice([32, 48, 256]), "effective_batch": choice([64, 128])}
    known = batch.facts(study([], space))
    assert known is not None
    assert list(map(str, known.same[64])) == ["32 x 2", "48 x 1 + 16", "64 x 1"]
    trials = [
        trial(i, 1.0 + i, metrics={"micro_batch": 40.0}, learning_rate=0.1, effective_batch=size)
        for i, size in enumerate([64] * 3 + [128] * 3 + [256] * 3)
    ]
    space = {"effective_batch": choice([64, 128, 256]), "learning_rate": choice([0.1])}
    fitted = batch.facts(study(trials, space, batch_size="auto"))
    assert fitted is not None
    assert fitted.rates == {64: 0.1, 128: 0.1, 256: 0.1}
    assert fitted.exponent is not None
    assert fitted.exponent.value == pytest.approx(0, abs=1e-9)
    assert not fitted.same


def test_the_cost_of_accumulation_is_that_between_trials_of_one_effective_batch() -> None:
    pairs = [(size, steps) for size in SIZES for steps in STEPS]
    trials = [
        trial(
            i, 1.0, seconds=100 / (size * steps) * 1.25 ** math.log2(steps), batch_size=size, accumulation_steps=steps
        )
        for i, (size, steps) in enumerate(pairs)
    ]
    known = batch.facts(study(trials))
    assert known is not None
    assert known.slowdown is not None
    assert known.slowdown.value == pytest.approx(1.25)
    alone = batch.facts(study(trials[:1]))
    assert alone is not None
    assert alone.slowdown is None


# --- end to end ------------------------------------------------------------------------------------------------------


def test_a_search_over_batch_size_shows_its_facts_and_notes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rates.yaml").write_text(
        "objective: mlp\ndata: digits\ngoal: minimize val_loss\nsampler: random\npruner: none\nconfirm: false\n"
        "search:\n  learning_rate: {float: [1e-3, 1e-1], log: true}\n  batch_size: {choice: [16, 32]}\n"
        "  accumulation_steps: {choice: [2, 4]}\nfixed: {epochs: 2, width: 16}\nbudget: {trials: 8}\n"
    )
    assert cli.main(["run", "--study", "rates.yaml"]) == 0
    capsys.readouterr()
    assert cli.main(["show", "rates"]) == 0
    shown = capsys.readouterr().out
    assert "batch size:\n  gradient noise scale: " in shown
    assert "samples, over 4 good trials" in shown
    assert "one and the same point: 64 = 16 x 4 = 32 x 2" in shown
    assert cli.main(["show", "rates", "--json"]) == 0
    trials = json.loads(capsys.readouterr().out)["trials"]
    assert all(one["metrics"]["gradient_square_error"] > 0 for one in trials)
    stored = open_store(None).read("rates")
    assert stored is not None
    note = "".join(text for name, text in sorted(stored.system_attrs.items()) if "note_str" in name)
    assert "## Batch size\n\n- gradient noise scale: " in note
