"""Each parameter at its own multiple of the learning rate, against torch.optim with a group for each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.objectives.networks.blocks import Block
from hpo.objectives.networks.layers import Activation, Linear, Sequential, Stack
from hpo.objectives.networks.network import Parameter
from hpo.objectives.networks.transformer import transformer
from hpo.objectives.trainer import muon, optimizers, stretches
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.order import generator
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.schedules import rates
from hpo.objectives.trainer.tensors import Splits
from hpo.objectives.trainer.together import Cohort
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task

SHARES = {"first": (0.3, 0.5), "middle": (2.0, 1.0), "head": (1.0, 1.0)}


def build(*, first: float = 0.3, steady: bool = False) -> Sequential:
    """Three linear layers; the first block's matrix at 0.3 x 0.5 of the rate, its bias at 0.3, the second at 2."""
    return Sequential(
        (
            Block((Linear(7), Activation("tanh")), rate=first, matrix_rate=0.5, steady_decay=steady),
            Block((Linear(9), Activation("tanh")), rate=2.0),
            Linear(),
        )
    )


def data() -> Splits:
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 5)).astype("float32")
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)
    return Splits((x[:40], y[:40]), (x[40:], y[40:]), None, "classification", 3)


PROBLEM = Problem(SimpleNamespace(__name__="toy", build=build, data=data), Task("toy"))
KNOBS: dict[str, Any] = {"batch_size": 8, "learning_rate": 0.01, "weight_decay": 0.5, "epochs": 8, "seed": 3}


def lane(**knobs: Any) -> Lane:
    return Lane(0, PROBLEM.setup({**KNOBS, **knobs}))


def trained(own: Lane, *others: Lane) -> dict[str, torch.Tensor]:
    for _ in range(own.setup.recipe.epochs):
        Cohort().advance([*others, own])
    return own.setup.network.state_dict(own.rows["weights"])


def by_torch(own: Lane, first: float, steady: bool, clip: float) -> dict[str, torch.Tensor]:
    recipe, part = own.setup.recipe, own.setup.data.train
    linears = [torch.nn.Linear(5, 7), torch.nn.Linear(7, 9), torch.nn.Linear(9, 3)]
    own_names = ["0.0.weight", "0.0.bias", "1.0.weight", "1.0.bias", "2.weight", "2.bias"]
    values = dict(zip(own_names, (p for layer in linears for p in layer.parameters()), strict=True))
    with torch.no_grad():
        for name, value in own.setup.network.state_dict(own.rows["weights"]).items():
            values[name].copy_(value)
    shares = dict(zip(own_names, (first * 0.5, first, 2.0, 2.0, 1.0, 1.0), strict=True))
    groups = []
    for name, value in values.items():
        value.requires_grad_(shares[name] > 0)
        if shares[name]:
            decay = recipe.weight_decay if name.endswith("weight") else 0.0
            if steady and name.startswith("0."):
                decay /= shares[name]
            groups.append({"params": [value], "weight_decay": decay, "share": shares[name]})
    adamw = torch.optim.AdamW(groups, betas=(recipe.beta1, recipe.beta2), eps=recipe.epsilon)
    model = torch.nn.Sequential(linears[0], torch.nn.Tanh(), linears[1], torch.nn.Tanh(), linears[2])
    step = 0
    for epoch in range(recipe.epochs):
        for items in torch.from_numpy(generator(recipe.seed, "order", epoch).permutation(len(part))).split(8):
            adamw.zero_grad()
            F.cross_entropy(model(part.inputs[items]), part.targets[items]).backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            (rate,) = rates(recipe, [step], own.plan.total)
            for group in adamw.param_groups:
                group["lr"] = rate * group["share"]
            adamw.step()
            step += 1
    return {name: value.detach() for name, value in values.items()}


@pytest.mark.parametrize("first", [0.3, 0.0])
@pytest.mark.parametrize("steady", [False, True])
@pytest.mark.parametrize("clip", [0.0, 0.2])
def test_a_lane_with_rates_of_its_parameters_trains_as_torch_with_groups(
    first: float, steady: bool, clip: float
) -> None:
    own = lane(first=first, steady=steady, clip_norm=clip)
    expected = by_torch(own, first, steady, clip)
    for name, value in trained(own, lane(first=first, steady=steady, seed=8)).items():
        torch.testing.assert_close(value, expected[name], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop", "lion", "muon"])
def test_what_is_frozen_keeps_its_bits_under_every_rule(optimizer: str) -> None:
    own = lane(first=0.0, optimizer=optimizer, l1=0.1, gradient_noise=0.1, epochs=2)
    before = own.setup.network.state_dict(own.rows["weights"])
    for name, value in trained(own).items():
        assert torch.equal(value, before[name]) == name.startswith("0.")


def test_l1_goes_by_the_rate_of_each_matrix() -> None:
    plain, sparse = (lane(epochs=1, batch_size=40, l1=l1) for l1 in (0.0, 0.5))
    trained(plain), trained(sparse)
    places = stretches.decays(plain.setup.network.parameters)
    assert [share for _, share in places] == [0.15, 2.0, 1.0]
    for place, share in places:
        before, after = plain.rows["weights"][place], sparse.rows["weights"][place]
        torch.testing.assert_close(after, F.softshrink(before, 0.01 * share * 0.5), atol=1e-7, rtol=1e-6)


PARAMETERS = st.lists(
    st.builds(
        Parameter,
        st.just("p"),
        st.integers(1, 3).map(lambda size: (size,)),
        st.booleans(),
        rate=st.sampled_from([0.0, 0.5, 1.0]),
        entry_rate=st.sampled_from([1.0, 2.0]),
        hidden=st.sampled_from([None, True, False]),
    ),
    min_size=1,
    max_size=8,
).map(lambda found: sorted(found, key=lambda parameter: not parameter.matrix))


@settings(deadline=None)
@given(parameters=PARAMETERS, optimizer=st.sampled_from(["adamw", "muon"]))
def test_stretches_hold_each_trained_value_once_and_neighbours_differ(
    parameters: list[Parameter], optimizer: str
) -> None:
    recipe = TrainingRecipe(optimizer=optimizer)
    found = stretches.steps(parameters, recipe)
    by_muon = muon.hidden(parameters) if optimizer == "muon" else []
    assert all(a.stop < b.start or x != y for (a, x), (b, y) in pairwise(found))
    places = [place for place, _ in found] + [place for _, place in by_muon]
    values = [at for place in places for at in range(place.start, place.stop)]
    frozen, at = set(), 0
    for parameter in parameters:
        frozen |= set(range(at, at + parameter.size)) if not parameter.rate else set()
        at += parameter.size
    assert len(values) == len(set(values))
    assert set(values) | frozen == set(range(at))


def test_a_row_at_one_rate_is_one_call_and_equal_neighbours_are_one() -> None:
    calls: list[int] = []

    def count(parameters: list[Parameter]) -> int:
        size = sum(parameter.size for parameter in parameters)
        rows = {name: torch.zeros(size) for name in ("weights", "gradient", "mean", "square")}
        calls.clear()
        optimizers.bind({**rows, "count": torch.ones(())}, TrainingRecipe(optimizer="lion"), parameters)(0.1)
        return len(calls)

    original = optimizers._RULES["lion"]
    optimizers._RULES["lion"] = (lambda rows, recipe, rate: calls.append(len(rows["weights"])), original[1])
    try:
        plain = [Parameter("a", (3, 3), True), Parameter("b", (3,), False)]
        assert count(plain) == 1
        assert count([*plain, Parameter("c", (2,), False, rate=0.5), Parameter("d", (2,), False, rate=0.5)]) == 2
    finally:
        optimizers._RULES["lion"] = original


SYMBOLS, CONTEXT = 9, 6


def parameters(**form: Any) -> tuple[Parameter, ...]:
    model = transformer(depth=2, heads=2, width=8, **form)
    return Stack(model, (CONTEXT,), (CONTEXT, SYMBOLS), SYMBOLS).parameters


@pytest.mark.parametrize("form", [{}, {"positions": "rotary"}, {"tied": True}, {"tied": True, "positions": "rotary"}])
def test_muon_trains_all_matrices_of_blocks_and_nothing_else(form: dict[str, Any]) -> None:
    found = {parameter.name for parameter, _ in muon.hidden(parameters(**form))}
    first = 2 if form.get("positions") == "rotary" else 3
    inside = ("0.1.in_proj_weight", "0.1.out_proj.weight", "1.1.weight", "1.3.weight")
    assert found == {f"{first + block}.{name}" for block in range(2) for name in inside}


def tokens() -> Splits:
    random = np.random.default_rng(0)
    walk = (random.integers(0, SYMBOLS, (50, 1)) + random.integers(1, 3, (50, CONTEXT + 1)).cumsum(axis=1)) % SYMBOLS
    x, y = walk[:, :-1], walk[:, 1:]
    return Splits((x[:40], y[:40]), (x[40:], y[40:]), None, "classification", SYMBOLS, SYMBOLS)


def language(**form: Any) -> Callable[[], Sequential]:
    return lambda: transformer(**{"depth": 2, "heads": 2, "width": 8, "base_width": 8, "base_depth": 2, **form})


def language_lane(form: dict[str, Any], **knobs: Any) -> Lane:
    problem = Problem(SimpleNamespace(__name__="toy", build=language(**form), data=tokens), Task("toy"))
    return Lane(0, problem.setup({**KNOBS, "epochs": 2, **knobs}))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "lion", "muon"])
@pytest.mark.parametrize("form", [{}, {"init": "gpt2", "tied": True, "activation": "swiglu"}])
def test_at_its_base_shape_mup_is_standard_to_the_last_bit(optimizer: str, form: dict[str, Any]) -> None:
    plain, mup = (language_lane({**form, "parametrization": kind}, optimizer=optimizer) for kind in ("standard", "mup"))
    for own in (plain, mup):
        trained(own)
    assert torch.equal(plain.rows["weights"], mup.rows["weights"])


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_mup_is_refused_where_its_rates_do_not_hold(optimizer: str) -> None:
    with pytest.raises(UserError, match=f"mup has rates for adam, adamw, lion, muon, not for {optimizer}"):
        language_lane({"parametrization": "mup"}, optimizer=optimizer)
