"""From small to large: planted optima and laws come back within their intervals; what is not identified is not told."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scaled import SIZES, Array, covers, held, loss_above, runs_of, surface

from hpo.search.describe.size import Size
from hpo.search.report.plain import to_json
from hpo.search.report.scaling.cells import cells_of
from hpo.search.report.scaling.fit import Scaling, scale
from hpo.search.report.scaling.lines import lines
from hpo.search.report.scaling.optimum import Optimum
from hpo.search.report.scaling.plain import plain
from hpo.search.report.scaling.powerlaw import At, axes, loss_law, power_law
from hpo.search.report.scaling.published import LAWS
from hpo.search.report.scaling.runs import Run, Source, gather
from hpo.search.report.study import StudyReport
from hpo.search.terms.errors import UserError
from hpo.search.terms.trial import Trial

# --- laws over sizes --------------------------------------------------------------------------------------------------


@given(
    coefficient=st.floats(1e-3, 10), b=st.floats(-1, 1), c=st.floats(-1, 1),
    spread=st.floats(0.01, 0.5), count=st.integers(2, 3),
)  # fmt: skip
def test_a_law_without_noise_comes_back(coefficient: float, b: float, c: float, spread: float, count: int) -> None:
    places = [At(1e4 * 8**i, 1e6 * 4**j) for i in range(count) for j in range(count)]
    logs = [math.log(coefficient) + b * math.log(at.n) + c * math.log(at.d or 0) for at in places]
    noise = np.random.default_rng(0).standard_normal((len(places), 500)) * spread
    law = power_law(places, logs, [log + row for log, row in zip(logs, noise, strict=True)])
    assert law.exponents["N"].value == pytest.approx(b, abs=1e-8)
    assert law.exponents["D"].value == pytest.approx(c, abs=1e-8)
    told = law.predict(At(3e7, 2e9))
    assert told is not None
    assert told.value == pytest.approx(coefficient * 3e7**b * 2e9**c, rel=1e-6)
    assert covers(told.low, told.value, told.high)


@pytest.mark.parametrize("count", [3, 4])
def test_planted_laws_and_predictions_lie_in_their_intervals_about_as_often_as_they_say(count: int) -> None:
    exponents, predictions, losses = [], [], []
    for seed in range(32):
        power = -0.9 + 0.03 * seed

        def law(n: float, d: float | None, power: float = power) -> float:
            return float(0.01 * (n / 1e5) ** power)

        found = scale(held(runs_of(law, [(n, 1e6) for n in SIZES[:count]], seed)), 4e6).groups[0]
        if len(found.identified) < 3:
            continue
        told = found.rate.exponents["N"]
        exponents.append(covers(told.low, power, told.high))
        assert found.prediction is not None
        assert found.prediction.rate is not None
        predictions.append(covers(found.prediction.rate.low, law(4e6, None), found.prediction.rate.high))
        if found.prediction.loss is not None:
            told = found.prediction.loss
            losses.append(covers(told.low, 1.0 + 20.0 * 4e6**-0.3, told.high))
    for covered in (exponents, predictions, losses):
        assert len(covered) >= 20
        assert sum(covered) >= 0.88 * len(covered)


def identified(found: Optimum) -> tuple[float, Array]:
    assert found.rate.estimate is not None
    assert found.rate.draws is not None
    return math.log(found.rate.estimate.value), found.rate.draws


def test_two_sizes_are_an_exact_line_without_an_interval() -> None:
    found = scale(held(runs_of(lambda n, d: n**-0.5, [(n, 1e6) for n in SIZES[:2]], seed=1)), 1e6)
    law = found.groups[0].rate
    assert law.exact
    assert law.exponents["N"].low is None
    assert law.exponents["N"].value == pytest.approx(-0.5, abs=0.25)
    text = "\n".join(lines(found))
    assert "an exact line through 2 sizes, so no interval" in text
    assert "(no interval)" in text


def test_sizes_that_scatter_about_the_law_widen_its_interval() -> None:
    places = [At(n, 1e6) for n in (*SIZES, 2.56e6)]
    noise = np.random.default_rng(0).standard_normal((5, 2000)) * 0.02
    line = [-0.5 * math.log(at.n) for at in places]

    def width(scatter: float) -> float:
        logs = [log + scatter * sign for log, sign in zip(line, (1, -1, 1, -1, 1), strict=True)]
        told = power_law(places, logs, [log + row for log, row in zip(logs, noise, strict=True)]).exponents["N"]
        assert told.low is not None
        assert told.high is not None
        return told.high - told.low

    assert width(0.2) > 4 * width(0.0)


@pytest.mark.parametrize(
    ("places", "terms", "path"),
    [
        ([At(1e4, 1e6), At(1e5, 1e6)], ("N",), False),
        ([At(1e4, 1e6), At(1e4, 1e7)], ("D",), False),
        ([At(1e4, None), At(1e5, None)], ("N",), False),
        ([At(1e4, 2e5), At(1e5, 2e6), At(1e6, 2e7)], ("N",), True),
        ([At(1e4, 1e6), At(1e5, 1e6), At(1e4, 1e7)], ("N", "D"), False),
        ([At(1e4, 1e6), At(1.5e4, 1e6)], (), False),
    ],
)
def test_an_exponent_is_fitted_where_its_variable_varies_twofold_by_itself(
    places: list[At], terms: tuple[str, ...], path: bool
) -> None:
    found = axes(places)
    assert found.terms == terms
    assert (found.path is not None) == path


def test_sizes_whose_tokens_grow_with_them_have_one_exponent_along_their_path() -> None:
    found = scale(held(runs_of(lambda n, d: 1e-3 * (n / 1e5) ** -0.4, [(n, 20 * n) for n in SIZES])), 4e6)
    group = found.groups[0]
    assert set(group.rate.exponents) == {"N"}
    assert group.prediction is not None
    assert group.prediction.at.d == pytest.approx(8e7)
    assert "the powers of N and D cannot be told apart" in "\n".join(lines(found))
    off = scale(found.runs, 4e6, 4e6).groups[0].prediction
    assert off is not None
    assert off.off_path


def test_the_largest_size_is_predicted_from_the_others_and_both_are_told() -> None:
    found = scale(held(runs_of(lambda n, d: 0.01 * (n / 1e5) ** -0.5, [(n, 1e6) for n in SIZES], noise=0.003)))
    held_out = found.groups[0].rate.held_out
    assert held_out is not None
    assert held_out[0] == pytest.approx(held_out[1], rel=0.3)


def test_a_planted_loss_law_over_sizes_and_tokens_comes_back() -> None:
    places = [At(n, d) for n in SIZES for d in (1e6, 8e6, 64e6)]
    losses = [1.5 + 30 * at.n**-0.4 + 50 * (at.d or 1) ** -0.3 for at in places]
    noise = np.random.default_rng(0).standard_normal((len(places), 300)) * 0.003
    law = loss_law(places, losses, [loss + row for loss, row in zip(losses, noise, strict=True)])
    told = law.predict(At(4e6, 512e6))
    assert told is not None
    assert told.value == pytest.approx(1.5 + 30 * 4e6**-0.4 + 50 * 512e6**-0.3, abs=0.02)
    assert covers(law.exponents["N"].low, 0.4, law.exponents["N"].high)
    assert covers(law.exponents["D"].low, 0.3, law.exponents["D"].high)


def test_a_loss_without_a_trend_has_no_law() -> None:
    places = [At(n, 1e6) for n in SIZES]
    noise = np.random.default_rng(0).standard_normal((4, 300)) * 0.05
    law = loss_law(places, [2.0, 2.01, 1.99, 2.0], [2 + row for row in noise])
    assert law.draws is None
    assert "cannot be told apart" in law.why


def test_drift_under_mup_stands_beside_that_under_standard() -> None:
    standard = runs_of(lambda n, d: 0.01 * (n / 1e4) ** -0.5, [(n, 1e6) for n in SIZES[:3]], parametrization="standard")
    mup = runs_of(lambda n, d: 0.01, [(n, 1e6) for n in SIZES[:3]], 1, parametrization="mup")
    found = scale(held([*standard, *mup]))
    told = {group.parametrization: group.drift for group in found.groups}
    assert told["standard"] is not None
    assert told["standard"].value == pytest.approx(4.0, rel=0.4)
    assert told["standard"].low is not None
    assert told["standard"].low > 2
    assert told["mup"] is not None
    assert told["mup"].value < 1.5
    text = "\n".join(lines(found))
    assert text.index("parametrization mup") < text.index("parametrization standard")


# --- what is printed --------------------------------------------------------------------------------------------------


def example(size: float | None = 20e6) -> Scaling:
    return scale(held(runs_of(lambda n, d: 0.01 * (n / 1e5) ** -0.5, [(n, 1e6) for n in SIZES])), size)


def test_a_prediction_says_how_far_it_extrapolates() -> None:
    text = "\n".join(lines(example()))
    assert "31 x the largest size measured" in text
    assert "a guess, beyond 10 x" in text
    assert "within the sizes measured" in "\n".join(lines(example(1e5)))
    assert "add --size N" in "\n".join(lines(example(None)))


def test_published_laws_stand_beside_what_was_measured_and_predicted_with_their_units() -> None:
    text = "\n".join(lines(example()))
    assert "Step Law 2025" in text
    assert "these studies" in text
    assert "N without embeddings, D in tokens" in text
    assert "640k is below all of that" in text


def test_json_says_the_same_as_the_text() -> None:
    found = example()
    told = json.loads(to_json(plain(found)))
    assert told["in_short"] == list(lines(found))[-1]
    (group,) = told["groups"]
    assert [size["parameters"] for size in group["sizes"]] == list(SIZES)
    assert f"{group['rate_law']['exponents']['N']['value']:.3g}" in "\n".join(lines(found))
    assert group["prediction"]["times_the_largest"]["N"] == pytest.approx(31.25)
    assert all(law["source"] and law["fitted"] for law in told["published"])


def test_a_goal_to_maximize_is_fitted_upside_down_and_shown_as_it_is() -> None:
    found = scale(held(runs_of(lambda n, d: 0.01, [(n, 1e6) for n in SIZES]), "maximize val_accuracy"))
    values = [size.value.value for size in found.groups[0].sizes if size.value is not None]
    assert values
    assert all(value < 0 for value in values)  # the planted costs are above 0
    assert "the goal is to maximize" in found.groups[0].loss.why


def test_published_laws_have_their_published_values() -> None:
    known = {(law.name, law.quantity): law.value(1e9, 1e11, 2.0) for law in LAWS}
    assert known["Step Law 2025", "rate"] == pytest.approx(1.79 * 1e9**-0.713 * 1e11**0.307)
    assert known["Step Law 2025", "batch"] == pytest.approx(0.58 * 1e11**0.571)
    assert known["DeepSeek 2024", "rate"] == pytest.approx(0.3118 * 6e20**-0.125)
    assert known["DeepSeek 2024", "batch"] == pytest.approx(0.2920 * 6e20**0.3271)
    assert known["Kaplan 2020", "critical"] == pytest.approx(2e8 / 2**4.76)
    assert known["Power Lines 2025", "batch"] is None
    assert all(law.value(1e6, None, None) is None for law in LAWS if law.exponents.get("D"))
    rates = [value for (_, quantity), value in known.items() if quantity == "rate" and value is not None]
    assert all(1e-5 < value < 1e-2 for value in rates)


# --- studies that go together, and those that do not ------------------------------------------------------------------


def trial(
    number: int, value: float, state: str = "complete", metrics: Mapping[str, float] | None = None, **knobs: Any
) -> Trial:
    point = {"learning_rate": 1e-3 * 1.5**number, **knobs}
    return Trial(number, point, ((1, value),), state, (value,), seed=number, metrics=metrics or {})  # type: ignore[arg-type]


def study(
    name: str = "a", trials: Sequence[Trial] = (), goal: str = "minimize val_bpb", **definition: Any
) -> StudyReport:
    known = {"fixed": {"width": 64}, "objective": "gpt", "data": "d1", **definition}
    shown = trials or [trial(i, 1.0 + i) for i in range(10)]
    return StudyReport(name, "", (goal,), None, {}, 0, 1, 0.0, tuple(shown), None, known)


def sized(found: StudyReport, **told: float) -> Source:
    return Source(found, {}, lambda recipe: Size(**{"parameters": 12.0 * recipe["width"] ** 2, **told}), "gpt")


def test_sizes_come_from_named_knobs_then_the_curve_then_the_objective() -> None:
    metrics = {"parameters": 700.0, "tokens": 5e5}
    found = study(trials=[trial(i, 1.0 + i, metrics=metrics) for i in range(10)])
    by_hook = gather([sized(study(), tokens=1e6, tokens_per_step=512.0)], {})
    assert (by_hook.runs[0].n, by_hook.runs[0].d, by_hook.runs[0].batch) == (49152.0, 1e6, 512.0)
    assert by_hook.unit == "tokens"
    by_curve = gather([sized(found, tokens=1e6)], {})
    assert (by_curve.runs[0].n, by_curve.runs[0].d, by_curve.runs[0].batch) == (700.0, 5e5, None)
    by_knob = gather([sized(found)], {"parameters": "width"})
    assert (by_knob.runs[0].n, by_knob.origin) == (64.0, "the knob width")


def test_a_batch_that_nothing_says_in_tokens_is_one_of_samples() -> None:
    found = gather([sized(study(fixed={"width": 8, "batch_size": 16, "accumulation_steps": 4}))], {})
    assert (found.runs[0].batch, found.unit) == (64.0, "samples")
    found = gather([sized(study(fixed={"width": 8, "batch_size": 16, "effective_batch": 100}))], {})
    assert found.runs[0].batch == 100.0


def test_pruned_failed_and_infinite_trials_are_left_out_and_counted() -> None:
    trials = [trial(0, 1.0), trial(1, 2.0), trial(2, 3.0, "pruned"), trial(3, 4.0, "failed"), trial(4, math.inf)]
    found = gather([sized(study(trials=trials))], {})
    assert [run.number for run in found.runs] == [0, 1]
    assert found.left_out == {"pruned": 1, "failed": 1, "not finite": 1}


def test_a_size_that_is_a_hair_larger_is_the_same_size() -> None:
    runs = [*runs_of(lambda n, d: 0.01, [(1e4, 1.00e6)]), *runs_of(lambda n, d: 0.01, [(1e4, 1.03e6)])]
    assert len(cells_of(runs)) == 1
    assert len(cells_of([*runs, *runs_of(lambda n, d: 0.01, [(1e4, 1.2e6)])])) == 2


@pytest.mark.parametrize(
    ("sources", "named", "told"),
    [
        ([sized(study("a")), sized(study("b", goal="minimize loss"))], {}, "would minimize val_bpb, b minimize loss"),
        ([sized(study("a")), sized(study("b", data="d2"))], {}, "a and b are of different data"),
        ([sized(study("a")), sized(study("b", objective="masked"))], {}, "different objectives (gpt and masked)"),
        ([sized(study(kind, fixed={"width": 8, "tokenizer": kind})) for kind in ("bpe", "bytes")],
         {}, "tokenizer differs between trials ('bpe', 'bytes')"),
        ([sized(study("a", [trial(i, 1.0, "pruned") for i in range(2)]))], {}, "a has no complete trial"),
        ([sized(study("a", [trial(0, 1.0), trial(0, 1.0)]))], {}, "a does not search a learning rate"),
        ([sized(study("a", [trial(0, math.nan), trial(1, math.inf)]))], {}, "search lower learning rates"),
        ([Source(study("a"))], {}, "how large are the models of a? add to the objective a function size(recipe)"),
        ([sized(study("a"))], {"parameters": "wdth"}, "wdth is no knob of it in a: did you mean 'width'?"),
    ],
)  # fmt: skip
def test_studies_that_do_not_go_together_are_refused_with_the_remedy(
    sources: list[Source], named: dict[str, str], told: str
) -> None:
    with pytest.raises(UserError) as caught:
        gather(sources, named)
    assert told in str(caught.value)


def test_trials_of_one_size_are_refused_with_the_remedy() -> None:
    with pytest.raises(UserError, match=r"all trials are of one size \(10k parameters, 1M tokens\).*--set width=256"):
        scale(held(runs_of(lambda n, d: 0.01, [(1e4, 1e6)])))


def test_tokens_that_a_law_needs_must_be_said() -> None:
    sizes = [(1e4, 1e6), (1e5, 1e6), (1e4, 1e7), (1e5, 1e7)]
    runs = held(runs_of(lambda n, d: 0.01 * (n / 1e5) ** -0.5 * ((d or 1e6) / 1e6) ** 0.3, sizes))
    with pytest.raises(UserError, match="add --tokens"):
        scale(runs, 1e6)
    told = scale(runs, 1e6, 1e8).groups[0].prediction
    assert told is not None
    assert told.times == pytest.approx({"N": 10.0, "D": 10.0})


def test_rates_are_given_at_one_batch_where_the_best_batch_is_not_identified() -> None:
    runs = []
    for place, n in enumerate(SIZES[:3]):
        rate, batch, _ = surface(place)
        cost = 2 + loss_above(0.01 * (n / 1e4) ** -0.5, rate) + 0.1 * np.log(batch)
        runs += [
            Run("s", i, n, 1e6, float(b), float(r), float(c), {"learning_rate": r, "batch_size": b})
            for i, (r, b, c) in enumerate(zip(rate, batch, cost, strict=True))
        ]
    found = scale(held(runs))
    assert found.groups[0].at_batch is not None
    assert found.groups[0].batch.draws is None
    assert any("best rates are those at a batch of" in caveat for caveat in found.caveats)
