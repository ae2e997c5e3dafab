"""Layers for sequences: as torch.nn computes them, trained as torch.optim would, and the same in any company."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from hpo.objectives.networks.layers import Activation, Dropout, Layer, LayerNorm, Linear, Residual, Sequential
from hpo.objectives.networks.sequence import Attention, Embedding, MeanPool, Positions
from hpo.objectives.trainer import train_alone
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.order import generator
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.schedules import rates
from hpo.objectives.trainer.tensors import Splits
from hpo.objectives.trainer.together import Cohort
from hpo.search.terms.errors import DataError, UserError
from hpo.search.terms.job import Task

WIDTH, HEADS, SYMBOLS, POSITIONS = 12, 3, 7, 6


def block(dropout: float, causal: bool) -> tuple[Layer, ...]:
    return (
        Residual((LayerNorm(), Attention(HEADS, causal), Dropout(dropout))),
        Residual((LayerNorm(), Linear(4 * WIDTH), Activation("gelu"), Linear(WIDTH), Dropout(dropout))),
    )


def build(*, dropout: float = 0.0, pooled: bool = False) -> Sequential:
    blocks = block(dropout, not pooled) + block(dropout, not pooled)
    pool = (MeanPool(),) if pooled else ()
    return Sequential((Embedding(WIDTH), Positions(), *blocks, LayerNorm(), *pool, Linear()))


def tokens(*, rows: int = 50, pooled: bool = False) -> Splits:
    """The next of a cycle with slips; or whether a sequence has many of the highest symbol."""
    random = np.random.default_rng(0)
    steps = random.integers(1, 3, (rows + 20, POSITIONS + 1))
    walk = (random.integers(0, SYMBOLS, (rows + 20, 1)) + steps.cumsum(axis=1)) % SYMBOLS
    x, y = walk[:, :-1], walk[:, 1:]
    if pooled:
        y = (x == SYMBOLS - 1).sum(axis=1).clip(max=2)
    return Splits((x[:rows], y[:rows]), (x[rows:], y[rows:]), None, "classification", 3 if pooled else SYMBOLS, SYMBOLS)


def problem(build: Callable[..., Any] = build, data: Callable[..., Any] = tokens, **more: Any) -> Problem:
    return Problem(SimpleNamespace(__name__="toy", build=build, data=data, **more), Task("toy"))


PROBLEM = problem()


def lane(number: int, **knobs: Any) -> Lane:
    return Lane(number, PROBLEM.setup({"batch_size": 8, "epochs": 6, "seed": number, **knobs}))


class Around(nn.Sequential):
    """Layers with their input added."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x)


class SelfAttention(nn.MultiheadAttention):
    """Attention of a sequence to itself."""

    def __init__(self, causal: bool) -> None:
        super().__init__(WIDTH, HEADS, batch_first=True)
        self.causal = causal

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1]) if self.causal else None
        return super().forward(x, x, x, attn_mask=mask, need_weights=False, is_causal=self.causal)[0]


class Table(nn.Module):
    """Learned positions."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(POSITIONS, WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.weight


class Mean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=1)


def module(pooled: bool) -> nn.Sequential:
    blocks: list[nn.Module] = []
    for _ in range(2):
        blocks.append(Around(nn.LayerNorm(WIDTH), SelfAttention(not pooled), nn.Identity()))
        mlp = (nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))
        blocks.append(Around(nn.LayerNorm(WIDTH), *mlp, nn.Identity()))
    ends = [Mean(), nn.Linear(WIDTH, 3)] if pooled else [nn.Linear(WIDTH, SYMBOLS)]
    return nn.Sequential(nn.Embedding(SYMBOLS, WIDTH), Table(), *blocks, nn.LayerNorm(WIDTH), *ends)


def reference(own: Lane) -> tuple[nn.Module, list[float]]:
    """Train as a user would: torch.nn, torch.optim.AdamW, a loop over batches; the model and each epoch's loss."""
    recipe, data = own.setup.recipe, own.setup.data
    model = module(bool(own.setup.knobs.get("pooled")))
    model.load_state_dict(own.setup.network.state_dict(own.rows["weights"]))
    tables = {id(part.weight) for part in model.modules() if isinstance(part, (nn.Embedding, Table))}
    decayed = [p for p in model.parameters() if p.dim() > 1 and id(p) not in tables]
    others = [p for p in model.parameters() if p.dim() == 1 or id(p) in tables]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(recipe.beta1, recipe.beta2), eps=recipe.epsilon)
    x, y = data.train.inputs, data.train.targets
    window = recipe.batch_size * recipe.accumulation_steps
    total, step, curve = recipe.epochs * math.ceil(len(x) / window), 0, []
    for epoch in range(recipe.epochs):
        order = torch.from_numpy(generator(recipe.seed, "order", epoch).permutation(len(x)))
        summed = 0.0
        for items in order.split(window):
            optimizer.zero_grad()
            for batch in items.split(recipe.batch_size):
                outputs = model(x[batch]).flatten(0, -2)
                loss = nn.functional.cross_entropy(outputs, y[batch].flatten()) * len(batch)
                (loss / len(items)).backward()
                summed += loss.item()
            if recipe.clip_norm:
                nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
            for group in optimizer.param_groups:
                group["lr"] = rates(recipe, [step], total)[0]
            optimizer.step()
            step += 1
        curve.append(summed / len(x))
    return model, curve


@pytest.mark.parametrize(
    "knobs",
    [
        {"batch_size": 8, "epochs": 15, "learning_rate": 0.003},
        {"batch_size": 8, "epochs": 15, "learning_rate": 0.003, "weight_decay": 0.3, "pooled": True},
        {"batch_size": 7, "accumulation_steps": 3, "clip_norm": 0.3, "warmup": 0.2, "weight_decay": 0.2, "epochs": 34},
    ],
    ids=["plain", "pooled", "accumulated and clipped"],
)
def test_a_transformer_trains_as_with_torch_alone(knobs: dict[str, Any]) -> None:
    own, other = lane(1, **knobs), lane(2, **knobs)
    model, curve = reference(own)
    cohort = Cohort()
    for epoch in range(own.setup.recipe.epochs):
        cohort.advance([other, own])
        assert own.metrics["train_loss"] == pytest.approx(curve[epoch], abs=1e-5)
    assert own.step >= 100
    trained = own.setup.network.state_dict(own.rows["weights"])
    assert trained.keys() == model.state_dict().keys()
    for name, value in model.state_dict().items():
        rows = torch.ones(len(value), dtype=torch.bool)
        if name.endswith("in_proj_bias"):  # one that all keys have changes no attention: its gradient is rounding alone
            rows[WIDTH : 2 * WIDTH] = False
        torch.testing.assert_close(trained[name][rows], value[rows], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pooled", [False, True])
def test_a_curve_in_company_is_the_curve_alone_to_the_last_bit(pooled: bool) -> None:
    knobs: dict[str, Any] = {"pooled": pooled, "dropout": 0.2, "label_smoothing": 0.1, "learning_rate": 0.01}
    alone, first = lane(3, **knobs, accumulation_steps=2), Cohort()
    others = [lane(number, **knobs, clip_norm=0.1 * number) for number in range(3)]
    together, second = [*others, lane(3, **knobs, accumulation_steps=2)], Cohort()
    assert len({own.key for own in together}) == 1
    for _ in range(4):
        first.advance([alone])
        second.advance(together)
        assert dict(together[3].metrics) == dict(alone.metrics)
    torch.testing.assert_close(together[3].rows["weights"], alone.rows["weights"], atol=0, rtol=0)


def test_dropout_inside_residual_blocks_has_its_own_mask_at_each_place() -> None:
    network = lane(0, dropout=0.5).setup.network
    assert network.sites == ((POSITIONS, WIDTH),) * 4
    assert network.rates == (0.5,) * 4
    values = [v.unsqueeze(0) for v in network.initial(0)]
    ones, inputs = [torch.ones(1, 2, *site) for site in network.sites], torch.zeros(1, 2, POSITIONS, dtype=torch.long)
    plain = network.forward(values, inputs, None)
    torch.testing.assert_close(network.forward(values, inputs, ones), plain)
    for place in range(4):
        masks = [torch.zeros_like(one) if at == place else one for at, one in enumerate(ones)]
        assert not torch.allclose(network.forward(values, inputs, masks), plain)


def test_a_causal_position_does_not_see_those_after_it() -> None:
    network = lane(0).setup.network
    values = [v.unsqueeze(0) for v in network.initial(0)]
    one = torch.randint(0, SYMBOLS, (1, 4, POSITIONS), generator=torch.Generator().manual_seed(0))
    other = one.clone()
    other[..., -1] = (one[..., -1] + 1) % SYMBOLS
    before, after = (network.forward(values, x, None) for x in (one, other))
    torch.testing.assert_close(after[..., :-1, :], before[..., :-1, :], atol=0, rtol=0)
    assert not torch.allclose(after[..., -1, :], before[..., -1, :])


def test_scores_and_losses_of_tokens_are_means_over_tokens() -> None:
    own = lane(0, epochs=1, learning_rate=0.02)
    Cohort().advance([own])
    part, network = own.setup.data.validation, own.setup.network
    outputs = network.forward(network.views(own.rows["weights"][None]), part.inputs[None], None)[0].flatten(0, 1)
    expected = nn.functional.cross_entropy(outputs, part.targets.flatten()).item()
    assert own.metrics["val_loss"] == pytest.approx(expected, abs=1e-5)
    hits = (outputs.argmax(dim=1) == part.targets.flatten()).float().mean().item()
    assert own.metrics["val_accuracy"] == pytest.approx(hits, abs=1e-6)


def test_the_users_own_loss_is_called_with_tokens() -> None:
    own = problem(loss=lambda outputs, targets: nn.functional.cross_entropy(outputs, targets))
    knobs = {"batch_size": 8, "epochs": 2, "seed": 0}
    plain, same = Lane(0, PROBLEM.setup(knobs)), Lane(0, own.setup(knobs))
    for _ in range(2):
        Cohort().advance([plain])
        Cohort().advance([same])
    assert same.metrics == pytest.approx(dict(plain.metrics), abs=1e-6)


def test_embeddings_are_spared_weight_decay() -> None:
    own = lane(0)
    tables = {p.name for p in own.setup.network.parameters if not p.matrix and len(p.shape) > 1}
    assert tables == {"0.weight", "1.weight"}


def test_saved_weights_load_into_a_torch_module_that_predicts_the_same(tmp_path: Path) -> None:
    own = SimpleNamespace(__name__="toy", build=build, data=tokens)
    training = train_alone(own, Task("toy"), {"batch_size": 8, "epochs": 2, "seed": 0})
    while True:
        try:
            next(training)
        except StopIteration as end:
            fitted = end.value
            break
    fitted.save(tmp_path)
    model = module(pooled=False)
    model.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    x = torch.as_tensor(tokens().validation[0])
    torch.testing.assert_close(fitted.predict(x), model(x).softmax(dim=-1), atol=1e-5, rtol=1e-5)


def test_the_documented_language_model_learns() -> None:
    text = (Path(__file__).parents[3] / "docs" / "cohorts.md").read_text()
    (block,) = re.findall(r"^```python\n(# mytext.py\n.*?)^```", text, re.DOTALL | re.MULTILINE)
    written: dict[str, Any] = {}
    exec(block, written)
    documented = problem(written["build"], written["data"])
    own = Lane(0, documented.setup({"epochs": 1, "batch_size": 8, "learning_rate": 0.01, "max_steps": 30}))
    Cohort().advance([own])
    assert own.metrics["val_loss"] < 0.8 * math.log(own.setup.data.outputs)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"mixup": 0.2}, "mixup needs inputs that are real numbers"),
        ({"input_noise": 0.1}, "input_noise needs inputs that are real numbers"),
        ({"feature_masking": 0.1}, "feature_masking needs inputs that are real numbers"),
        ({"shift": 0.1}, "shift needs images"),
        ({"class_weight": "balanced"}, "class_weight needs one target per sample"),
        ({"resample": "balanced"}, "resample needs one target per sample"),
        ({"label_noise": 0.1}, "label_noise needs one target per sample"),
    ],
)
def test_knobs_that_mean_nothing_for_tokens_are_refused(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        lane(0, **knobs)


def layers(*chosen: Layer) -> Callable[[], Sequential]:
    return lambda: Sequential(chosen)


def bytes_() -> Splits:
    splits = tokens()
    return Splits(*((x.astype("uint8"), y) for x, y in (splits.train, splits.validation)), None, "classification", 7)


@pytest.mark.parametrize(
    ("build", "data", "message"),
    [
        (layers(Embedding(8), Linear()), bytes_, "bytes .uint8. are taken for pixels"),
        (layers(Embedding(8, symbols=5), Linear()), tokens, "5 symbols, and the data has 7"),
        (layers(Embedding(8), Attention(3), Linear()), tokens, "width of 8 cannot be cut into 3 heads"),
        (layers(Embedding(8), Residual((Linear(9),)), Linear()), tokens, r"\[6, 8\] became \[6, 9\]"),
        (layers(Embedding(8), MeanPool(), Linear()), tokens, r"gives \[7\] per sample, the data needs \[6, 7\]"),
    ],
)
def test_layers_that_do_not_fit_are_refused(build: Any, data: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        problem(build, data).setup({})


def test_symbols_beyond_the_known_ones_are_refused() -> None:
    found = tokens()
    x, y = found.train
    (splits,) = [Splits(found.train, found.validation, lambda: (x + 1, y), "classification", SYMBOLS)]
    data = problem(data=lambda: splits).setup({}).data
    assert data.symbols == SYMBOLS
    with pytest.raises(DataError, match=r"the test part's inputs are not all in 0..6"):
        data.test()


def test_targets_of_several_values_are_refused() -> None:
    x, y = tokens().train
    with pytest.raises(DataError, match=r"shape \[50, 6\]; regression needs \[n\]"):
        problem(data=lambda: {"train": (x, y / 2), "validation": (x, y / 2)}).setup({})


def test_arrays_of_a_plain_dictionary_are_read_as_tokens() -> None:
    x, y = tokens().train
    data = problem(data=lambda: {"train": (x, y), "validation": (x[:9], y[:9]), "test": (x + 3, y)}).setup({}).data
    assert (data.symbols, data.outputs, data.output_shape) == (10, 7, (6, 7))
