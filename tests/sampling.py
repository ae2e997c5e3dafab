"""Samplers in tests: spaces, and a search without the loop around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import optuna
from hypothesis import strategies as st
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from hpo.search.contracts.sampler import SamplerContext
from hpo.search.engine.ask import propose, record
from hpo.search.terms import registry
from hpo.search.terms.domain import Choice, Float, Int, Scalar
from hpo.search.terms.recipe import derive_seed, digest
from hpo.search.terms.space import Parameter, Space

optuna.logging.set_verbosity(optuna.logging.WARNING)

MIXED = Space(
    (
        Parameter("rate", Float(1e-5, 1e-1, log=True)),
        Parameter("dropout", Float(0.0, 0.5)),
        Parameter("optimizer", Choice(("sgd", "adam"))),
        Parameter("momentum", Float(0.0, 0.99), when=(("optimizer", ("sgd",)),)),
        Parameter("nesterov", Choice((False, True)), when=(("optimizer", ("sgd",)),)),
        Parameter("beta", Float(0.8, 0.999), when=(("optimizer", ("adam",)),)),
        Parameter("width", Int(8, 512, log=True)),
        Parameter("smoothing", Float(0.0, 0.3, step=0.1)),
        Parameter("same", Choice(("only",))),
    )
)
FLAT = Space(tuple(parameter for parameter in MIXED if not parameter.when))
FINITE = Space(
    (
        Parameter("layers", Int(1, 7, step=2)),
        Parameter("smoothing", Float(0.0, 0.3, step=0.1)),
        Parameter("optimizer", Choice(("sgd", "adam"))),
        Parameter("nesterov", Choice((False, True)), when=(("optimizer", ("sgd",)),)),
    )
)  # 4 * 4 * (2 + 1) = 48 points


OPTIONS: dict[str, dict[str, Any]] = {
    "gp": {"n_startup_trials": 6},
    "nsga2": {"population_size": 6},
    "warmup": {"first": ("qmc", {}), "then": ("tpe", {"n_startup_trials": 5}), "trials": 8},
}


def new_study(*directions: str) -> optuna.Study:
    return optuna.create_study(directions=list(directions or ["minimize"]), study_name="study")


def reopened(study: optuna.Study) -> optuna.Study:
    """The same trials and attributes in a new storage, as after a restart."""
    copy = optuna.create_study(directions=study.directions, study_name=study.study_name)
    for key, value in study._storage.get_study_system_attrs(study._study_id).items():
        copy._storage.set_study_system_attr(copy._study_id, key, value)
    copy.add_trials(study.get_trials())
    return copy


def value_of(space: Space, point: Mapping[str, Scalar]) -> float:
    """A smooth goal: the squared distance from a third of each range."""
    return sum((space[name].domain.to_unit(value) - 1 / 3) ** 2 for name, value in point.items())


def ask(
    study: optuna.Study,
    space: Space,
    name: str,
    options: Mapping[str, Any] = {},
    *,
    seed: int = 0,
    fixed: Mapping[str, Any] = {},
    repeats: bool = False,
) -> tuple[int, dict[str, Scalar]]:
    """Open a trial at the sampler's proposal and return its number and point."""
    directions = tuple(direction.name.lower() for direction in study.directions)
    tried = {
        digest({**fixed, **trial.params}, without_seed=True)
        for trial in study.get_trials(deepcopy=False)
        if trial.params
    }
    trial = study._storage.get_trial(study._storage.create_new_trial(study._study_id))

    def make(attempt: int) -> BaseSampler:
        drawn = derive_seed(seed, "sample", trial.number, attempt)
        context = SamplerContext(space, fixed, drawn, seed, trial.number, directions, repeats, attempt)
        sampler: BaseSampler = registry.load("sampler", name).make(context, **nested(options, context))
        return sampler

    point = propose(study, trial, space, fixed, make, seed=seed, tried=tried, repeats=repeats)
    record(study, trial, space, point)
    return trial.number, point


def nested(options: Mapping[str, Any], context: SamplerContext) -> dict[str, Any]:
    """Options with the samplers among them made: ``{"first": ("qmc", {})}``."""
    return {
        key: registry.load("sampler", value[0]).make(context, **value[1]) if isinstance(value, tuple) else value
        for key, value in options.items()
    }


def finish(study: optuna.Study, number: int, value: float) -> None:
    """End a trial in a way that its number decides: complete, pruned, failed, or not at all."""
    trial_id = study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
    for step in range(1, 4):
        if len(study.directions) == 1:
            study._storage.set_trial_intermediate_value(trial_id, step, value + 1.0 / step)
    if number % 9 == 4:
        study.tell(number, state=TrialState.FAIL)
    elif number % 9 == 6 and len(study.directions) == 1:
        study.tell(number, state=TrialState.PRUNED)
    elif number % 9 != 7:  # the others stay RUNNING
        study.tell(number, [value, *[-value * value] * (len(study.directions) - 1)])


def run(
    study: optuna.Study,
    space: Space,
    name: str,
    options: Mapping[str, Any],
    trials: int,
    end: Callable[[optuna.Study, int, float], None] = finish,
    **asked: Any,
) -> list[dict[str, Scalar]]:
    """Propose and end so many trials; return their points."""
    points = []
    for _ in range(trials):
        number, point = ask(study, space, name, options, **asked)
        end(study, number, value_of(space, point))
        points.append(point)
    return points


scalars = st.sampled_from(["a", "b", 1, 2.5, True, None])
numbers: st.SearchStrategy[Float | Int] = st.one_of(
    st.builds(Float, st.floats(-10, 10), st.floats(11, 20)),
    st.builds(Float, st.floats(1e-6, 1e-2), st.floats(0.1, 10), log=st.just(True)),
    st.builds(Float, st.integers(-3, 3).map(float), st.integers(4, 9).map(float), step=st.sampled_from([0.1, 0.25, 3])),
    st.builds(Int, st.integers(-5, 5), st.integers(5, 40), step=st.integers(1, 4)),
    st.builds(Int, st.integers(1, 5), st.integers(5, 4000), log=st.just(True)),
)
choices = st.lists(scalars, min_size=1, max_size=4, unique_by=lambda value: (type(value) is bool, value)).map(
    lambda values: Choice(tuple(values))
)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Spaces of all domains with conditions on earlier choices; the first knob is a number that is always active."""
    parameters = [Parameter("k0", draw(numbers))]
    for i in range(1, draw(st.integers(1, 5))):
        when: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()
        governing = [parameter for parameter in parameters if isinstance(parameter.domain, Choice)]
        if governing and draw(st.booleans()):
            by = draw(st.sampled_from(governing))
            assert isinstance(by.domain, Choice)
            allowed = draw(st.lists(st.sampled_from(by.domain.values), min_size=1, max_size=2))
            when = ((by.name, tuple(allowed)),)
        parameters.append(Parameter(f"k{i}", draw(numbers | choices), when))
    return Space(tuple(parameters))


def finite(space: Space) -> Space:
    """The space without its continuous ranges."""
    return Space(
        tuple(Parameter(p.name, p.domain if p.domain.grid() is not None else Int(0, 3), p.when) for p in space)
    )
