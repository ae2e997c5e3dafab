import math

import pytest
from pruning import HORIZON, Search, curve

from hpo.search.contracts.pruner import PrunerContext
from hpo.search.pruners.learning_curve import make
from hpo.search.terms.errors import UserError


def context(horizon: int | None = HORIZON) -> PrunerContext:
    return PrunerContext(horizon)


def test_a_weak_trial_is_stopped_early_and_a_strong_one_is_not() -> None:
    search = Search(make(context()))
    search.train_several([0.5, 0.45, 0.48, 0.42])
    weak, strong = search.train(curve(1.5)), search.train(curve(0.2))
    assert weak is not None
    assert weak < HORIZON / 2
    assert strong is None


def test_a_stop_says_what_was_expected() -> None:
    search = Search(make(context()))
    search.train_several([0.5, 0.45, 0.48])
    search.train(curve(1.5))
    evidence = search.said.evidence
    assert evidence["low"] <= evidence["predicted"] <= evidence["high"]
    assert evidence["incumbent"] == pytest.approx(0.45, abs=0.01)
    assert evidence["probability"] < 0.05
    assert evidence["predicted"] == pytest.approx(1.5, abs=0.4)
    assert "its chance to beat that" in search.said.reason


def test_maximizing_mirrors_minimizing() -> None:
    def stops(sign: float, direction: str) -> list[int | None]:
        search = Search(make(context()), direction)
        return [search.train([sign * v for v in curve(level)]) for level in (0.5, 0.4, 0.9, 0.45, 1.2, 0.3)]

    assert stops(1.0, "minimize") == stops(-1.0, "maximize")


def test_the_first_trial_and_the_best_trial_are_never_stopped() -> None:
    search = Search(make(context()))
    assert search.train(curve(0.9)) is None
    for level in (0.8, 0.7, 0.6, 0.5):
        assert search.train(curve(level)) is None


def test_the_best_so_far_counts_when_a_curve_turns_upward() -> None:
    search = Search(make(context()))
    search.train_several([0.5, 0.45, 0.48])
    overfitting = [0.2 + 0.02 * abs(t - 6) for t in range(HORIZON)]
    assert search.train(overfitting) is None


def test_a_late_start_is_waited_for_where_others_started_late() -> None:
    def late(level: float) -> list[float]:
        return [level + 1 / (1 + math.exp(t - 15)) for t in range(HORIZON)]

    search = Search(make(context()))
    for level in (0.5, 0.55, 0.45, 0.5, 0.52):
        search.complete(late(level))
    assert search.train(late(0.3)) is None


def test_no_trial_is_stopped_before_the_end_of_the_warm_up() -> None:
    search = Search(make(context(), n_warmup_steps=12))
    search.train_several([0.5, 0.45, 0.48])
    stopped = search.train(curve(3.0))
    assert stopped is not None
    assert stopped > 12


def test_more_finalists_stop_fewer_trials() -> None:
    levels = [0.50, 0.40, 0.45, 0.60, 0.43, 0.47, 0.55, 0.41]
    stopped = []
    for top in (1, 4):
        search = Search(make(context(), top=top))
        stopped.append(sum(search.train(curve(level)) is not None for level in levels))
    assert stopped[1] <= stopped[0]


def test_an_unknown_horizon_is_that_of_the_longest_complete_trial() -> None:
    search = Search(make(context(horizon=None)))
    search.train_several([0.5, 0.45, 0.48])
    stopped = search.train(curve(2.0))
    assert stopped is not None
    assert stopped < HORIZON


def test_trials_of_unequal_length_are_compared_at_equal_fractions() -> None:
    def annealed(level: float, horizon: int) -> list[float]:
        return [level + 0.5 * (1 + math.cos(math.pi * t / (horizon - 1))) for t in range(horizon)]

    search = Search(make(context(horizon=60)))
    for level in (0.5, 0.45, 0.48, 0.52, 0.5):
        search.train(annealed(level, 20), epochs=20)
    assert search.train(annealed(0.3, 60), epochs=60) is None


def test_constant_and_diverging_curves_do_no_harm() -> None:
    search = Search(make(context()))
    search.train([1.0] * HORIZON)
    search.train([1.0] * HORIZON)
    search.train([1e34] * HORIZON)
    search.train([math.inf] * HORIZON)
    assert search.train(curve(0.5)) is None


def test_the_same_curves_are_stopped_at_the_same_steps() -> None:
    def stops() -> list[int | None]:
        search = Search(make(context()))
        return [search.train(curve(level)) for level in (0.5, 0.4, 0.45, 0.9, 0.41, 0.39)]

    assert stops() == stops()


@pytest.mark.parametrize("options", [{"threshold": 0.0}, {"threshold": 1.0}, {"top": 0}, {"n_warmup_steps": -1}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UserError):
        make(context(), **options)  # type: ignore[arg-type]
