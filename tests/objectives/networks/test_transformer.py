"""Transformers against plain torch.nn, lanes against each alone, packed documents against each alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hpo.objectives.networks import gradients
from hpo.objectives.networks.layers import Stack
from hpo.objectives.networks.transformer import transformer
from hpo.search.terms.errors import UserError

SYMBOLS, CONTEXT = 11, 8
SMALL: dict[str, Any] = {"depth": 2, "heads": 2, "width": 12}
FORMS: list[dict[str, Any]] = [
    {},
    {"positions": "rotary"},
    {"normalization": "rms"},
    {"activation": "swiglu"},
    {"activation": "relu2", "causal": False},
    {"tied": True, "init": "gpt2"},
    {"bias": False},
    {"positions": "rotary", "normalization": "rms", "activation": "swiglu", "bias": False, "tied": True},
    {"parametrization": "mup", "base_width": 6, "base_depth": 1, "init": "gpt2"},
]
forms = pytest.mark.parametrize("form", FORMS, ids=["-".join(map(str, form.values())) or "plain" for form in FORMS])


def stack(documents: bool = False, **form: Any) -> Stack:
    shape = (2, CONTEXT) if documents else (CONTEXT,)
    return Stack(transformer(**{**SMALL, **form}), shape, (CONTEXT, SYMBOLS), SYMBOLS, documents=documents)


def rows(network: Stack, lanes: int = 1) -> Tensor:
    """Weights in double precision, with biases and gains that do not start as 0 and 1."""
    first = torch.stack([torch.cat([v.flatten() for v in network.initial(seed)]) for seed in range(lanes)]).double()
    return first + 0.1 * torch.randn(first.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def symbols(*shape: int) -> Tensor:
    return torch.randint(0, SYMBOLS, shape, generator=torch.Generator().manual_seed(2))


def passed(network: Stack, weights: Tensor, inputs: Tensor, pull: Tensor, masks: Any = None) -> tuple[Tensor, Tensor]:
    """Outputs, and the gradient of their product with ``pull``, in rows."""
    way, found = gradients.bind(network, network.views(weights), bfloat16=False), torch.full_like(weights, torch.nan)
    with torch.no_grad():
        outputs = way.forward(inputs, masks)
        way.backward(pull.clone(), network.views(found))
    return outputs, found


def pull(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


class Reference(nn.Module):
    """A pre-norm transformer as one would write it with torch.nn, attention and rotation by hand."""

    def __init__(self, form: dict[str, Any]) -> None:
        super().__init__()
        self.form = form = {"bias": True, "activation": "gelu", "causal": True, **SMALL, **form}
        width, bias, heads = form["width"], form["bias"], form["heads"]
        norm = (lambda: nn.RMSNorm(width, eps=1e-5)) if form.get("normalization") == "rms" else None
        norm = norm or (lambda: nn.LayerNorm(width, bias=bias))
        self.tokens = nn.Embedding(SYMBOLS, width)
        self.table = None if form.get("positions") == "rotary" else nn.Embedding(CONTEXT, width)
        swiglu = form["activation"] == "swiglu"
        inner = 32 if swiglu else 4 * width
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [
                    norm(),
                    nn.Linear(width, 3 * width, bias=bias),
                    nn.Linear(width, width, bias=bias),
                    norm(),
                    nn.Linear(width, 2 * inner if swiglu else inner, bias=bias),
                    nn.Linear(inner, width, bias=bias),
                ]
            )
            for _ in range(form["depth"])
        )
        self.norm = norm()
        self.head = nn.Linear(width, SYMBOLS, bias=bias and not form.get("tied"))
        if form.get("tied"):
            self.head.weight = self.tokens.weight
        self.heads, self.double_form = heads, form.get("parametrization") == "mup"

    def rotate(self, x: Tensor) -> Tensor:
        """Multiply each pair (i, i + size / 2) as a complex number."""
        half = x.shape[-1] // 2
        turn = torch.arange(x.shape[-2]).double().unsqueeze(1) * 10000.0 ** (-torch.arange(half).double() / half)
        turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(turn), turn)
        return torch.cat((turned.real, turned.imag), dim=-1)

    def attend(self, x: Tensor, into: nn.Module, out: nn.Module) -> Tensor:
        count, length, width = x.shape
        query, key, value = (
            part.view(count, length, self.heads, -1).transpose(1, 2) for part in into(x).split(width, dim=2)
        )
        size = query.shape[-1]
        if self.table is None:
            query, key = self.rotate(query), self.rotate(key)
        scale = math.sqrt(6 / self.heads) / size if self.double_form else 1 / math.sqrt(size)
        scores = query @ key.transpose(2, 3) * scale
        if self.form["causal"]:
            later = torch.ones(length, length, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        return out((scores.softmax(dim=-1) @ value).transpose(1, 2).reshape(count, length, width))

    def inside(self, x: Tensor) -> Tensor:
        if self.form["activation"] == "gelu":
            return F.gelu(x)
        if self.form["activation"] == "relu2":
            return x.clamp(min=0) ** 2
        gate, up = x.chunk(2, dim=-1)
        return gate * torch.sigmoid(gate) * up

    def forward(self, x: Tensor) -> Tensor:
        y = self.tokens(x)
        if self.table is not None:
            y = y + self.table.weight[: x.shape[1]]
        branch = 1 / math.sqrt(2) if self.double_form else 1.0
        for first, into, out, second, up, down in self.blocks:
            y = y + branch * self.attend(first(y), into, out)
            y = y + branch * down(self.inside(up(second(y))))
        return self.head(self.norm(y) / (2 if self.double_form else 1))


def in_order(network: Stack, row: Tensor) -> list[Tensor]:
    """Values as torch.nn has them, in the order of the layers."""
    named = network.state_dict(row)
    order = [network.parameters[place].name for place in network.places]
    return [named[name] for name in order]


@forms
def test_a_transformer_computes_what_torch_computes_gradients_included(form: dict[str, Any]) -> None:
    network, other = stack(**form), Reference(form).double()
    weights, inputs, wanted = rows(network), symbols(1, 3, CONTEXT), pull(1, 3, CONTEXT, SYMBOLS)
    values = in_order(network, weights[0])
    theirs = list(other.parameters())
    assert [value.shape for value in theirs] == [value.shape for value in values]
    with torch.no_grad():
        for parameter, value in zip(theirs, values, strict=True):
            parameter.copy_(value)
    outputs, found = passed(network, weights, inputs, wanted)
    expected = other(inputs[0])
    (expected * wanted[0]).sum().backward()
    torch.testing.assert_close(outputs[0], expected.detach(), atol=1e-12, rtol=1e-12)
    for parameter, gradient in zip(theirs, in_order(network, found[0]), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, atol=1e-12, rtol=1e-12)


@forms
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_each_of_several_lanes_is_computed_as_alone_to_the_last_bit(form: dict[str, Any], kind: torch.dtype) -> None:
    network = stack(**form)
    weights, inputs = rows(network, 3).to(kind), symbols(3, 3, CONTEXT)
    wanted = pull(3, 3, CONTEXT, SYMBOLS).to(kind)
    together = passed(network, weights, inputs, wanted)
    for lane in range(3):
        alone = passed(network, *(part[lane : lane + 1] for part in (weights, inputs, wanted)))
        assert all(torch.equal(one[0], all_[lane]) for one, all_ in zip(alone, together, strict=True))


LENGTHS = ([3, 5], [8], [1, 2, 4])
NUMBERS = torch.tensor([[4, 4, 4, 7, 7, 7, 7, 7], [0] * 8, [1, 2, 2, 3, 3, 3, 3, -1]])


@forms
def test_packed_documents_equal_documents_one_by_one(form: dict[str, Any]) -> None:
    packed, single = stack(documents=True, **form), stack(**form)
    weights, tokens, wanted = rows(packed), symbols(3, CONTEXT), pull(1, 3, CONTEXT, SYMBOLS)
    wanted[:, 2, 7] = 0  # padding has no target
    outputs, found = passed(packed, weights, torch.stack((tokens, NUMBERS), dim=1).unsqueeze(0), wanted)
    assert torch.isfinite(outputs).all()
    total = torch.zeros_like(found)
    for row, lengths in enumerate(LENGTHS):
        for start, length in zip(torch.tensor([0, *lengths]).cumsum(0).tolist(), lengths, strict=False):
            place = slice(start, start + length)
            here = slice(row, row + 1)
            alone, gradient = passed(single, weights, tokens[None, here, place], wanted[:, here, place])
            torch.testing.assert_close(outputs[:, here, place], alone, atol=1e-12, rtol=1e-12)
            total += gradient
    torch.testing.assert_close(found, total, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("lanes", [1, 2])
def test_a_token_does_not_know_what_else_is_in_its_row(positions: str, causal: bool, lanes: int) -> None:
    network = stack(documents=True, positions=positions, causal=causal)
    values = network.views(rows(network, lanes))
    one = torch.stack((symbols(3, CONTEXT), NUMBERS), dim=1).expand(lanes, -1, -1, -1)
    other = one.clone()
    other[:, 0, 0, :3] = (one[:, 0, 0, :3] + 1) % SYMBOLS  # the first document
    other[:, 2, 0, 3:] = (one[:, 2, 0, 3:] + 1) % SYMBOLS  # the last one, and padding
    before, after = (network.forward(values, x, None) for x in (one, other))
    unchanged = torch.ones(3, CONTEXT, dtype=torch.bool)
    unchanged[0, :3], unchanged[2, 3:] = False, False
    assert torch.equal(before[:, unchanged], after[:, unchanged])
    assert not torch.isclose(before[:, 0, :3], after[:, 0, :3]).all(dim=-1).any()


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_a_row_shorter_than_the_context_is_computed_as_the_start_of_a_longer_one(positions: str) -> None:
    network = stack(positions=positions)
    values, x = network.views(rows(network)), symbols(1, 2, CONTEXT)
    whole, part = network.forward(values, x, None), network.forward(values, x[..., :5], None)
    torch.testing.assert_close(part, whole[..., :5, :], atol=1e-12, rtol=1e-12)


def test_a_moved_document_is_the_same_document() -> None:
    for positions in ("learned", "rotary"):
        network, tokens = stack(documents=True, positions=positions), symbols(1, 1, CONTEXT)
        values = network.views(rows(network))
        numbers = torch.tensor([[[0, 0, 0, 0, -1, -1, -1, -1]]])
        early = network.forward(values, torch.stack((tokens, numbers), dim=2), None)
        late = network.forward(values, torch.stack((tokens.roll(4, -1), numbers.roll(4, -1)), dim=2), None)
        torch.testing.assert_close(late[..., 4:, :], early[..., :4, :], atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("documents", [False, True])
def test_activations_computed_again_give_the_same_bits(lanes: int, documents: bool) -> None:
    found = []
    for again in (False, True):
        network = stack(documents, dropout=0.3, checkpoint_activations=again, positions="rotary")
        weights, random = rows(network, lanes).float(), torch.Generator().manual_seed(4)
        masks = [(torch.rand(lanes, 3, *site, generator=random) > 0.3) / 0.7 for site in network.sites]
        inputs = symbols(lanes, 3, CONTEXT)
        if documents:
            inputs = torch.stack((inputs, NUMBERS.expand(lanes, -1, -1)), dim=2)
        assert len(masks) == 5
        found.append(passed(network, weights, inputs, pull(lanes, 3, CONTEXT, SYMBOLS).float(), masks))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_swiglu_has_the_weights_of_a_layer_four_times_as_wide() -> None:
    for width in (96, 128, 256):
        plain, gated = (
            Stack(transformer(width=width, activation=kind, bias=False), (8,), (8, 5), 5).size
            for kind in ("gelu", "swiglu")
        )
        assert gated == pytest.approx(plain, rel=0.02)


def test_gpt2_starts_with_one_deviation_and_thinner_ends_of_branches() -> None:
    network = Stack(transformer(init="gpt2", depth=8, width=64, tied=True), (CONTEXT,), (CONTEXT, SYMBOLS), SYMBOLS)
    for parameter, value in zip(network.parameters, network.initial(0), strict=True):
        if len(parameter.shape) == 2:
            ends = parameter.shape[1] == 64 and parameter.matrix
            assert value.std().item() == pytest.approx(0.02 / (4 if ends else 1), rel=0.1)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"heads": 5}, "a width of 12 cannot be cut into 5 heads"),
        ({"positions": "rotary", "heads": 4}, "4 heads of a width of 12 have 3 each"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"activation": "relu3"}, "activation: 'relu3' is not one of gelu, swiglu, relu2"),
    ],
)
def test_forms_that_do_not_fit_are_refused(form: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        stack(**form)


def test_a_tied_head_needs_a_row_for_each_class() -> None:
    with pytest.raises(UserError, match="a row for each of 5 symbols, not for 11 classes"):
        Stack(transformer(tied=True), (CONTEXT,), (CONTEXT, SYMBOLS), 5)


def test_document_numbers_need_samples_of_two_rows() -> None:
    with pytest.raises(UserError, match=r"must be \[2, T\]"):
        Stack(transformer(), (CONTEXT,), (CONTEXT, SYMBOLS), SYMBOLS, documents=True)
