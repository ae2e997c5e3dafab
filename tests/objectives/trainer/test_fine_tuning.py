"""Training that starts from given weights: what is taken over, what is frozen, rates by depth, low-rank factors."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import toylanes
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from toylanes import NEUTRAL, data, train

from hpo.objectives import cnn, gpt, mlp
from hpo.objectives.networks.depth import blocks
from hpo.objectives.networks.layers import Activation, Flatten, LayerNorm, Linear, Sequential, Stack
from hpo.objectives.networks.low_rank import LowRank
from hpo.objectives.networks.module import ModuleNetwork
from hpo.objectives.networks.network import Network
from hpo.objectives.trainer.alone import Fitted
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.order import generator
from hpo.objectives.trainer.problem import Problem
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task

BODY = ("1.weight", "1.bias", "2.weight", "2.bias", "4.weight", "4.bias")
HEAD = ("6.weight", "6.bias")


def build(*, width: int = 8) -> Sequential:
    """Two hidden layers, the first with a normalization, and a head."""
    first = (Flatten(), Linear(width), LayerNorm(), Activation("tanh"))
    return Sequential((*first, Linear(width), Activation("relu"), Linear()))


def module(*, width: int = 8) -> torch.nn.Module:
    """The same of torch, with running statistics."""
    first = (torch.nn.Flatten(), torch.nn.Linear(16, width), torch.nn.BatchNorm1d(width), torch.nn.Tanh())
    return torch.nn.Sequential(*first, torch.nn.Linear(width, width), torch.nn.ReLU(), torch.nn.Linear(width, 3))


def problem(make: Any, start: Path | None = None) -> Problem:
    file = SimpleNamespace(__name__="toy", build=make, data=data)
    return Problem(file, Task("toy", start_from=None if start is None else str(start)))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a trained network."""
    own = Lane(0, problem(build).setup({**NEUTRAL, "seed": 9}))
    train(own)
    path = tmp_path_factory.mktemp("source") / "source.safetensors"
    save_file(own.setup.network.state_dict(own.rows["weights"]), path)
    return path


@pytest.fixture(scope="module")
def started(source: Path) -> Problem:
    return problem(build, source)


def state(own: Lane) -> dict[str, torch.Tensor]:
    return own.setup.network.state_dict(own.rows["weights"])


TUNED = st.fixed_dictionaries(
    {
        "freeze": st.integers(0, 2), "layer_decay": st.sampled_from([0.3, 1.0]),
        "head_rate": st.sampled_from([0.5, 1.0, 4.0]), "lora_rank": st.sampled_from([0, 0, 2]),
        "lora_alpha": st.sampled_from([1.0, 16.0]), "clip_norm": st.sampled_from([0.0, 0.1]),
        "weight_decay": st.sampled_from([0.0, 0.3]), "optimizer": st.sampled_from(["sgd", "adam", "adamw", "muon"]),
        "l1": st.sampled_from([0.0, 0.01]), "seed": st.integers(0, 9),
    }
)  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(recipes=st.lists(TUNED, min_size=2, max_size=5))
def test_a_lane_has_the_bits_that_it_has_alone(started: Problem, recipes: list[dict[str, Any]]) -> None:
    """Those that freeze or adapt alike train together, whatever their rates."""
    lanes = [Lane(at, started.setup({**NEUTRAL, "epochs": 2, **recipe})) for at, recipe in enumerate(recipes)]
    groups: dict[Any, list[Lane]] = {}
    for own in lanes:
        groups.setdefault(own.key, []).append(own)
    for group in groups.values():
        train(*group)
    alike = {(r["freeze"], r["lora_rank"] and (r["lora_rank"], r["lora_alpha"])) for r in recipes}
    assert len(groups) <= len(alike)
    for own, recipe in zip(lanes, recipes, strict=True):
        alone = Lane(0, started.setup({**NEUTRAL, "epochs": 2, **recipe}))
        train(alone)
        assert torch.equal(own.rows["weights"], alone.rows["weights"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop", "lion", "muon"])
@pytest.mark.parametrize("rank", [0, 2])
def test_frozen_blocks_keep_their_bits_and_all_else_moves(
    started: Problem, source: Path, optimizer: str, rank: int
) -> None:
    recipe = {"optimizer": optimizer, "freeze": 1, "lora_rank": rank, "l1": 0.01, "gradient_noise": 0.1, "epochs": 1}
    own = Lane(0, started.setup({**NEUTRAL, "weight_decay": 0.2, **recipe}))
    before = state(own)
    train(own)
    moved = {name for name, value in state(own).items() if not torch.equal(value, before[name])}
    assert moved == {"4.weight", *HEAD} | (set() if rank else {"4.bias"})


@settings(max_examples=20, deadline=None)
@given(decay=st.floats(0.1, 1), head=st.floats(0.1, 9), freeze=st.integers(0, 2))
def test_rates_fall_from_the_head_down(started: Problem, decay: float, head: float, freeze: int) -> None:
    setup = started.setup({**NEUTRAL, "layer_decay": decay, "head_rate": head, "freeze": freeze})
    rates = {parameter.name: parameter.rate for parameter in setup.network.parameters}
    expected = [decay**2 if freeze < 1 else 0.0] * 4 + [decay if freeze < 2 else 0.0] * 2 + [head] * 2
    assert [rates[name] for name in (*BODY, *HEAD)] == expected


@pytest.mark.parametrize("make", [build, module])
def test_factors_are_trained_as_by_hand_and_added_to_what_is_saved(tmp_path: Path, make: Any) -> None:
    """Plain descent on W + alpha / rank * A B by torch, in the order of samples that the lane has."""
    knobs = {**NEUTRAL, "lora_rank": 2, "lora_alpha": 6.0, "epochs": 2, "seed": 4}
    own = Lane(0, problem(make).setup(knobs))
    network = own.setup.network
    assert isinstance(network, LowRank)
    if make is module:
        network.mode(training=False)
    values = dict(zip((p.name for p in network.parameters), network.views(own.rows["weights"][None]), strict=True))
    values = {name: value[0].clone() for name, value in values.items()}
    first = state(own)
    plain = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(16, 8),
        torch.nn.BatchNorm1d(8) if make is module else torch.nn.LayerNorm(8), torch.nn.Tanh(),
        torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3),
    )  # fmt: skip
    plain.load_state_dict(first)
    factors = {name: value.requires_grad_() for name, value in values.items() if ".lora_" in name}
    heads = {name: first[name].clone().requires_grad_() for name in HEAD}
    adapted = {name.rpartition(".")[0] for name in factors}
    assert adapted == {"1.weight", "4.weight"}

    def merged() -> dict[str, torch.Tensor]:
        found = {}
        for name in adapted:
            product = factors[f"{name}.lora_first"] @ factors[f"{name}.lora_second"]
            found[name] = first[name] + 3.0 * (product.t() if make is build else product)
        return found | heads

    part = own.setup.data.train
    for epoch in range(2):
        for items in torch.from_numpy(generator(4, "order", epoch).permutation(40)).split(10):
            outputs = torch.func.functional_call(plain, merged(), (part.inputs[items],))
            loss = torch.nn.functional.cross_entropy(outputs, part.targets[items])
            learnt = [*factors.values(), *heads.values()]
            with torch.no_grad():
                for value, gradient in zip(learnt, torch.autograd.grad(loss, learnt), strict=True):
                    value -= 0.05 * gradient
    train(own)
    saved = state(own)
    for name, value in merged().items():
        torch.testing.assert_close(saved[name], value.detach(), atol=1e-5, rtol=1e-5)
    for name in ("1.bias", "2.weight", "2.bias", "4.bias"):
        assert torch.equal(saved[name], first[name])
    Fitted(own.setup, own.final, 2).save(tmp_path)
    bare = problem(make, tmp_path / "weights.safetensors").setup(NEUTRAL)
    assert bare.notes == [note for note in bare.notes if not note.startswith("start_from")]
    loaded = Lane(0, bare)
    inputs = part.inputs[None]
    network.mode(training=False)
    bare.network.mode(training=False)
    outputs = [s.network.forward(s.network.views(lane.rows["weights"][None]), inputs, None) for s, lane in
               ((own.setup, own), (bare, loaded))]  # fmt: skip
    assert torch.equal(*outputs)


def test_adapting_starts_at_the_given_weights(started: Problem) -> None:
    plain, adapted = (Lane(0, started.setup({**NEUTRAL, "lora_rank": rank})) for rank in (0, 3))
    for name, value in state(plain).items():
        assert torch.equal(value, state(adapted)[name])


SHAPES = {"inputs": (1, 8, 8), "outputs": (10,)}


def networks() -> dict[str, tuple[Network, int, bool]]:
    """Networks, how many blocks stand before their head, and whether they have one."""

    def text(**form: Any) -> Network:
        from hpo.objectives.networks.transformer import transformer

        return Stack(transformer(depth=3, heads=2, width=8, **form), (6,), (6, 9), 9)

    encoder = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    class Own(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(9, 8)
            self.encoder = torch.nn.TransformerEncoder(encoder, 2, enable_nested_tensor=False)
            self.norm = torch.nn.LayerNorm(8)
            self.head = torch.nn.Linear(8, 9)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.norm(self.encoder(self.embed(x))))  # type: ignore[no-any-return]

    return {
        "mlp": (Stack(mlp.build(depth=3, normalization="layer"), *SHAPES.values()), 3, True),
        "linear": (Stack(mlp.build(depth=0), *SHAPES.values()), 0, True),
        "cnn": (Stack(cnn.build(depth=2, normalization="group"), *SHAPES.values()), 4, True),
        "gpt": (text(), 4, True),
        "tied": (text(tied=True, positions="rotary"), 4, False),
        "own": (ModuleNetwork(Own(), torch.zeros(2, 6, dtype=torch.int64), (6, 9), {}), 3, True),
    }


def test_blocks_are_what_a_model_repeats() -> None:
    assert gpt.build
    for name, (network, count, has_head) in networks().items():
        body, head = blocks(network)
        assert (name, len(body), bool(head)) == (name, count, has_head)
        known = sorted([*(own for block in body for own in block), *head])
        assert known == sorted(parameter.name for parameter in network.parameters)


def test_a_head_of_another_size_is_new_and_said(source: Path, tmp_path: Path) -> None:
    weights = dict(toylanes_weights(source))
    weights["6.weight"], weights["7.weight"] = torch.zeros(5, 8), torch.zeros(2)
    save_file({name: value.half() for name, value in weights.items()}, tmp_path / "other.safetensors")
    setup = problem(build, tmp_path / "other.safetensors").setup(NEUTRAL)
    assert setup.notes == [
        "start_from: 7 of 8 tensors are those of other.safetensors; new: 6.weight [3, 8], there [5, 8]; not used: "
        "7.weight"
    ]
    own = Lane(0, setup)
    for name, value in state(own).items():
        taken = name != "6.weight"
        assert torch.equal(value, weights[name].half().float() if taken else state(_fresh())[name])


def _fresh() -> Lane:
    return Lane(0, problem(build).setup(NEUTRAL))


def toylanes_weights(path: Path) -> dict[str, torch.Tensor]:
    from hpo.objectives.trainer.start import weights_of

    return weights_of(path)


def test_running_statistics_are_taken_over(tmp_path: Path) -> None:
    torch.manual_seed(0)
    before = module().train()
    before(torch.randn(30, 1, 4, 4))
    save_file(before.state_dict(), tmp_path / "before.safetensors")
    own = Lane(0, problem(module, tmp_path / "before.safetensors").setup({**NEUTRAL, "epochs": 1}))
    assert own.setup.notes[0].startswith("lanes are trained one by one")
    for name, value in state(own).items():
        assert torch.equal(value, before.state_dict()[name])


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ({"freeze": 3}, "freeze: 3 is more than there is: the model has 2 blocks before its head"),
        ({"freeze": -1}, "freeze must be at least 0"),
        ({"layer_decay": 0.0}, "layer_decay must be"),
        ({"head_rate": 0.0}, "head_rate must be"),
        ({"lora_alpha": math.nan}, "lora_alpha must be"),
        ({"width": 5}, "6.bias"),
    ],
)
def test_what_cannot_be_is_refused(started: Problem, recipe: dict[str, Any], told: str) -> None:
    if "width" in recipe:
        assert told not in started.setup({**NEUTRAL, **recipe}).notes[0]
        return
    with pytest.raises(UserError, match=told):
        started.setup({**NEUTRAL, **recipe})


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    save_file({"encoder.weight": torch.zeros(3)}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match=r"no tensor of x\.safetensors has a name and shape of the model's"):
        problem(build, tmp_path / "x.safetensors").setup(NEUTRAL)
    (tmp_path / "y.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot be read as weights"):
        problem(build, tmp_path / "y.safetensors").setup(NEUTRAL)


def test_a_model_without_a_head_of_its_own_says_so() -> None:
    def tied() -> Sequential:
        return gpt.build(SimpleNamespace(depth=1, width=8, heads=2, tied=True))  # type: ignore[arg-type]

    file = SimpleNamespace(__name__="toy", build=tied, data=lambda: toylanes.data(kind="tokens"))
    for recipe, told in (({"freeze": 2}, "leaves nothing to train"), ({"head_rate": 2.0}, "has nothing to act on")):
        with pytest.raises(UserError, match=told):
            Problem(file, Task("toy")).setup({**NEUTRAL, **recipe})
