"""What is stored of a smaller network gives back the weights it ran with, to the last bit."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import Tensor

from hpo.objectives.compression.structure import factored, narrowed, rebuilt
from hpo.objectives.compression.weights import Compressed, largest, rounded, unpacked
from hpo.objectives.networks.images import Conv2d, GroupNorm, MaxPool2d
from hpo.objectives.networks.layers import Activation, Flatten, LayerNorm, Linear, Residual, Sequential, Stack
from hpo.objectives.networks.network import Parameter
from hpo.objectives.networks.transformer import transformer
from hpo.objectives.trainer.distillation import Teacher, TokenTeacher
from hpo.objectives.trainer.losses import Loss
from hpo.objectives.trainer.tensors import Part
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.errors import UserError


def mlp() -> Stack:
    layers = (Linear(12), LayerNorm(), Activation(), Linear(10), Activation("tanh"), Linear())
    return Stack(Sequential(layers), (7,), (3,))


def cnn() -> Stack:
    conv = (Conv2d(8), GroupNorm(4), Activation(), Conv2d(4), MaxPool2d(), Flatten(), Linear())
    return Stack(Sequential(conv), (2, 6, 4), (3,))


def residual() -> Stack:
    block = Residual((LayerNorm(), Linear(20), Activation(), Linear(8)))
    return Stack(Sequential((Linear(8), block, Linear())), (5,), (2,))


KINDS = {"mlp": mlp, "cnn": cnn, "residual": residual}
PRUNED = st.sampled_from(["none", "global", "layer"])


def start(network: Stack, seed: int = 0) -> Tensor:
    return torch.cat([value.reshape(-1) for value in network.initial(seed)])


def outputs(network: Stack, row: Tensor, seed: int = 1) -> Tensor:
    x = torch.randn((9, *network.inputs), generator=torch.Generator().manual_seed(seed))
    return network.as_module(row)(x)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(list(KINDS)), PRUNED, st.floats(0, 0.99), st.booleans(), st.integers(0, 99))
def test_stored_weights_are_those_it_ran_with(kind: str, prune: str, share: float, int8: bool, seed: int) -> None:
    network = KINDS[kind]()
    row = start(network, seed)
    kept = {} if prune == "none" else largest(network, row, share, together=prune == "global")
    small = Compressed(network, row, {}, kept, int8=int8)
    state = small.state_dict(row)
    again = network.row(unpacked(network, state))
    assert torch.equal(again, small.dense(row))
    assert small.kilobytes(row) == len(save(state)) / 1000
    x = torch.randn((4, *network.inputs))
    with torch.no_grad():
        given_back = network.forward(network.views(again[None]), x[None], None)
        assert torch.equal(small.forward(network.views(row[None]), x[None], None), given_back)


@given(st.floats(0, 0.99), st.booleans())
@settings(max_examples=15, deadline=None)
def test_so_many_weights_of_the_matrices_become_0_the_smallest(share: float, together: bool) -> None:
    network = mlp()
    row = start(network)
    kept = largest(network, row, share, together=together)
    values = [value[0].abs() for value in network.views(row[None])]
    groups = [list(kept)] if together else [[at] for at in kept]
    for group in groups:
        gone = torch.cat([values[at][kept[at] == 0] for at in group])
        stay = torch.cat([values[at][kept[at] == 1] for at in group])
        assert len(gone) == round(share * (len(gone) + len(stay)))
        assert not len(gone) or not len(stay) or gone.max() <= stay.min()


def test_a_larger_share_and_fewer_bits_make_a_smaller_file() -> None:
    network = Stack(Sequential((Linear(64), Activation(), Linear())), (32,), (3,))
    row = start(network)

    def size(share: float, int8: bool) -> float:
        return Compressed(network, row, {}, largest(network, row, share, together=True), int8=int8).kilobytes(row)

    sizes = [size(share, False) for share in (0, 0.5, 0.8, 0.95)]
    assert sizes == sorted(sizes, reverse=True)
    assert size(0, True) < size(0, False) / 2
    assert size(0.9, True) < size(0.9, False)


@given(st.lists(st.floats(-100, 100, width=32), min_size=12, max_size=12), st.booleans())
@settings(max_examples=50, deadline=None)
def test_a_rounded_value_is_off_by_half_a_step_at_most_and_its_gradient_passes(
    numbers: list[float], transposed: bool
) -> None:
    value = torch.tensor(numbers).view(1, 3, 4)
    parameter = Parameter("weight", (3, 4), matrix=True, transposed=transposed)
    whole, scale = rounded(value, parameter)
    assert bool((whole * scale - value).abs().le(scale * 0.5001).all())
    assert tuple(scale.shape) == ((1, 1, 4) if transposed else (1, 3, 1))
    assert bool((whole == whole.round()).all() and (whole.abs() <= 127).all())


def test_gradients_go_to_the_weights_that_stay() -> None:
    network = mlp()
    row = start(network)
    kept = largest(network, row, 0.5, together=True)
    small = Compressed(network, row, {}, kept, int8=True)
    values = [value.clone().requires_grad_() for value in network.views(row[None])]
    small.forward(values, torch.randn((1, 9, 7)), None).square().sum().backward()
    for at, mask in kept.items():
        assert bool((values[at].grad[0][mask == 0] == 0).all())
        assert bool((values[at].grad[0][mask == 1] != 0).any())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.75, 0.99])
def test_removed_rows_leave_a_smaller_network_of_the_largest_ones(kind: str, share: float) -> None:
    network = KINDS[kind]()
    found, state = narrowed(network, network.state_dict(start(network)), share)
    small = rebuilt(network, found)
    assert small.size < network.size
    assert outputs(small, small.row(state)).shape == outputs(network, start(network)).shape
    widths = {"mlp": {"0": 12, "3": 10}, "cnn": {"0": 8, "3": 4}, "residual": {"1.1": 20}}[kind]
    each = {"cnn": {"0": 4}}.get(kind, {})
    for name, change in found.items():
        groups = each.get(name, 1)
        assert change["width"] == groups * max(1, round((1 - share) * widths[name] / groups))


@pytest.mark.parametrize(
    ("layers", "inputs", "last"),
    [
        ((Linear(12), Activation(), Linear()), (7,), "2"),
        ((Conv2d(6), Activation(), MaxPool2d(), Flatten(), Linear()), (2, 6, 4), "4"),
    ],
)
def test_rows_that_nobody_reads_are_removed_without_a_trace(layers: Any, inputs: Any, last: str) -> None:
    network = Stack(Sequential(layers), inputs, (3,))
    state = network.state_dict(start(network))
    width = len(state["0.weight"])
    state[f"{last}.weight"].view(3, width, -1)[:, ::2] = 0
    before = outputs(network, network.row(state))
    found, left = narrowed(network, state, 0.5)
    assert found == {"0": {"width": width // 2}}
    small = rebuilt(network, found)
    assert torch.allclose(outputs(small, small.row(left)), before, atol=1e-6)


def test_factors_of_a_matrix_of_that_rank_give_the_same_outputs() -> None:
    network = Stack(Sequential((Linear(40), Activation(), Linear(30), Linear())), (20,), (3,))
    state = network.state_dict(start(network))
    state["0.weight"] = torch.randn(40, 4) @ torch.randn(4, 20)
    state["2.weight"] = torch.randn(30, 4) @ torch.randn(4, 40)
    before = outputs(network, network.row(state))
    found, left = factored(network, state, 4)
    assert found == {"0": {"rank": 4}, "2": {"rank": 4}}, "the last matrix has fewer weights as it is"
    small = rebuilt(network, found)
    assert sum(map(torch.numel, left.values())) == small.size < network.size
    assert torch.allclose(outputs(small, small.row(left)), before, atol=1e-3, rtol=1e-4)


def test_layers_can_be_narrowed_and_factored() -> None:
    network = mlp()
    widths, state = narrowed(network, network.state_dict(start(network)), 0.25)
    middle = rebuilt(network, widths)
    ranks, state = factored(middle, state, 2)
    whole = {name: {**widths.get(name, {}), **ranks.get(name, {})} for name in {**widths, **ranks}}
    small = rebuilt(network, whole)
    assert prod(outputs(small, small.row(state)).shape) == 27
    assert whole["3"] == {"width": 8, "rank": 2}


def test_what_cannot_be_narrowed_is_said() -> None:
    network = Stack(Sequential((Linear(),)), (7,), (3,))
    with pytest.raises(UserError, match="prune_by: global"):
        narrowed(network, network.state_dict(start(network)), 0.5)


@pytest.mark.parametrize("classes", [3, 0])
@pytest.mark.parametrize(("weight", "temperature"), [(0.0, 2.0), (0.3, 1.0), (0.7, 4.0), (1.0, 2.5)])
def test_a_teachers_loss_is_hintons_and_its_gradient_is_its_derivative(
    classes: int, weight: float, temperature: float
) -> None:
    random, width = torch.Generator().manual_seed(3), classes or 1
    teacher = torch.randn(6, width, generator=random)
    targets = torch.randint(0, 3, (6,), generator=random) if classes else torch.randn(6, generator=random)
    part = Part(torch.zeros(6, 1), targets, classes)
    taught = Teacher(teacher, weight, temperature)
    index = torch.tensor([4, 0, 5])
    outputs = torch.randn(1, 3, width, generator=random).requires_grad_()
    task: Any = "classification" if classes else "regression"
    plain = Loss([TrainingRecipe()], task, torch.device("cpu"))
    each, gradient = taught.loss(plain, classes=bool(classes))(outputs.detach(), taught.wanted(part)(index)[None])
    if classes:
        soft = (teacher[index] / temperature).softmax(dim=1)
        logs = (outputs[0] / temperature).log_softmax(dim=1)
        hard = F.cross_entropy(outputs[0], targets[index], reduction="none")
        pull = temperature**2 * F.kl_div(logs, soft, reduction="none").sum(dim=1)
    else:
        hard = (outputs[0, :, 0] - targets[index]).square()
        pull = (outputs[0] - teacher[index]).square()[:, 0]
    wanted = (1 - weight) * hard + weight * pull
    assert torch.allclose(each[0], wanted, atol=1e-5)
    (derived,) = torch.autograd.grad(wanted.sum(), outputs)
    assert torch.allclose(gradient, derived, atol=1e-5)


@pytest.mark.parametrize("activation", ["gelu", "swiglu"])
def test_neurons_of_a_transformer_that_nothing_reads_are_removed_without_a_trace(activation: str) -> None:
    knobs: dict[str, Any] = {"depth": 2, "width": 8, "heads": 2, "activation": activation}
    network = Stack(transformer(**knobs), (5,), (5, 7), 7)
    state = network.state_dict(start(network))
    idle = [name for name, value in state.items() if value.shape[:1] == (8,) and value.dim() == 2 and ".1.3." in name]
    assert len(idle) == 2
    for name in idle:
        state[name][:, ::2] = 0
    structure, fewer = narrowed(network, state, 0.5)
    small = rebuilt(network, structure)
    x = torch.randint(0, 7, (1, 3, 5))
    with torch.no_grad():
        wanted = network.forward(network.views(network.row(state)[None]), x, None)
        found = small.forward(small.views(small.row(fewer)[None]), x, None)
    assert torch.allclose(found, wanted, atol=1e-6)
    assert small.size < network.size


def test_a_teacher_of_tokens_pulls_as_its_loss_says() -> None:
    torch.manual_seed(0)
    table = torch.randn(5, 4)
    inputs = torch.randint(0, 5, (2, 3, 6))
    outputs = torch.randn(2, 18, 4, requires_grad=True)
    teacher = TokenTeacher(lambda x: table[x], 0.5, 2.0)
    each, pull = teacher.taught(outputs, inputs)
    (gradient,) = torch.autograd.grad(each.sum(), outputs)
    assert torch.allclose(pull, gradient, atol=1e-6)
    own, _ = teacher.taught(table[inputs].flatten(1, 2), inputs)
    assert own.abs().max() < 1e-5
