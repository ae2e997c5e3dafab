"""Targets of tokens: a window's loss is the sum over its targets divided by their number, however it is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from toylanes import PROBLEM, lane, train

from hpo.objectives.trainer.epoch import Epoch
from hpo.objectives.trainer.gradient_noise import NoiseRecord
from hpo.objectives.trainer.losses import Loss
from hpo.objectives.trainer.order import batch_rows, permuted
from hpo.objectives.trainer.plan import Place, StepPlan
from hpo.objectives.trainer.samples import draw
from hpo.objectives.trainer.token_scores import IGNORED, ClassSums, TokenSums
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.errors import UserError

CPU = torch.device("cpu")


def float64_gradient(**knobs: Any) -> torch.Tensor:
    """The gradient of the first window of a lane in double precision, as the trainer accumulates it."""
    own = lane(kind="tokens", **knobs)
    weights = own.rows["weights"].double().unsqueeze(0)
    own.rows["weights"] = weights[0]
    gradients: list[torch.Tensor] = []
    gradient = torch.empty_like(weights)
    own.stepped = lambda: gradients.append(gradient[0].clone())  # type: ignore[method-assign]
    Epoch([own], weights, gradient).train()
    return gradients[0]


@pytest.mark.parametrize("cut", [(12, 1), (4, 3), (3, 4), (1, 12), (5, 0)])
def test_a_windows_gradient_is_that_of_the_whole_batch_however_it_is_cut(cut: tuple[int, int]) -> None:
    batch, steps = cut
    knobs: dict[str, Any] = {"max_steps": 1, "learning_rate": 1e-9}
    knobs |= {"accumulation_steps": steps} if steps else {"effective_batch": 12}
    own = lane(kind="tokens", batch_size=12, **{k: v for k, v in knobs.items() if k == "max_steps"})
    part, network = own.setup.data.train, own.setup.network
    index = draw(own.setup.recipe, 0, own.layout(), None, part).index[0]
    row = own.rows["weights"].double().requires_grad_()
    chosen = torch.from_numpy(index)
    outputs = network.forward(network.views(row.unsqueeze(0)), part.inputs[chosen].unsqueeze(0), None)[0]
    whole = F.cross_entropy(outputs.flatten(0, 1), part.targets[chosen].flatten(), ignore_index=IGNORED)
    (wanted,) = torch.autograd.grad(whole, row)
    found = float64_gradient(batch_size=batch, **knobs)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@given(st.integers(0, 2**32), st.integers(1, 700))
def test_an_order_holds_every_sample_once(seed: int, count: int) -> None:
    assert sorted(permuted(seed, np.arange(count), count).tolist()) == list(range(count))


def test_orders_look_random_and_differ_between_seeds() -> None:
    first, second = (permuted(seed, np.arange(100_000), 100_000) for seed in (1, 2))
    assert (first == second).mean() < 1e-3
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.02
    assert abs(np.corrcoef(np.arange(100_000), first)[0, 1]) < 0.02


def test_a_large_order_is_computed_where_it_is_asked_for() -> None:
    places = np.array([[0, 10**12], [5, 10**12 - 1]])
    found = permuted(3, places, 10**12 + 1)
    assert found.shape == places.shape
    assert len(set(found.ravel().tolist())) == 4
    assert found.max() <= 10**12


# --- points by steps -------------------------------------------------------------------------------------------------


@given(
    st.integers(1, 400), st.integers(0, 40), st.integers(1, 40), st.integers(0, 500), st.integers(0, 4000),
    st.integers(1, 30), st.sampled_from(["fixed", "step", "linear"]), st.floats(1, 8),
)  # fmt: skip
def test_a_run_by_steps_ends_with_what_ends_first_and_its_points_are_those_it_planned(
    count: int, every: int, batch: int, steps: int, tokens: int, epochs: int, growth: Any, factor: float
) -> None:
    recipe = TrainingRecipe(
        batch_size=batch, eval_every=every, max_steps=steps, max_tokens=tokens, epochs=epochs,
        batch_schedule=growth, batch_growth=factor,
    )  # fmt: skip
    plan, place = StepPlan(recipe, count, 8), Place()
    most = min(epochs * count, max(1, round(tokens / 8)) if tokens else epochs * count)
    while plan.share(place) < 1:
        cut = plan.layout(place, plan.window(place.point, 1.0), batch, batch)
        assert cut.steps >= 1
        place = Place(place.point + 1, place.step + cut.steps, place.samples + int(cut.items[cut.ends].sum()))
    assert place.samples <= most
    assert place.step == plan.total or place.samples == most
    assert place.point <= plan.epochs
    if growth == "fixed":
        assert place.step == plan.total == min(-(-most // batch), steps or count * epochs)
        assert place.point == (-(-plan.total // every) if every else min(20, plan.total))


def test_points_by_steps_are_the_steps_of_the_epochs_looked_at_elsewhere() -> None:
    (by_epochs,) = train(lane(epochs=3))
    (by_steps,) = train(lane(epochs=3, eval_every=2))
    assert [len(by_epochs), len(by_steps)] == [3, 6]
    whole, cut = lane(epochs=3, eval_every=12), lane(epochs=3, eval_every=5)
    assert train(whole)[0][-1]["val_loss"] == train(cut)[0][-1]["val_loss"]
    assert torch.equal(whole.rows["weights"], cut.rows["weights"])


def test_tokens_end_a_run_and_make_a_step() -> None:
    own = lane(kind="tokens", tokens_per_step=40, max_tokens=800, epochs=50, eval_every=7, batch_size=2)
    (curve,) = train(own)
    assert own.window == 5
    assert own.step == 20
    assert own.place.samples * 8 == 800
    assert len(curve) == 3


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"tokens_per_step": 10}, "tokens_per_step is for text"),
        ({"max_tokens": 10}, "max_tokens is for text"),
        ({"kind": "tokens", "tokens_per_step": 8, "effective_batch": 4}, "drop effective_batch"),
        ({"kind": "tokens", "eval_every": 2, "batch_schedule": "noise", "batch_size": 4}, "give max_steps"),
    ],
)
def test_what_cannot_be_counted_is_refused(knobs: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        lane(**knobs)


def test_sequences_grow_to_the_whole_context() -> None:
    own = lane(kind="tokens", length_warmup=0.5, eval_every=1, max_steps=8, epochs=50)
    lengths = []
    while not own.done:
        lengths.append(own.length)
        train_one(own)
    assert lengths == [1, 3, 4, 6, 8, 8, 8, 8]


def train_one(own: Any) -> None:
    from hpo.objectives.trainer.together import Cohort

    Cohort().advance([own])


def test_a_lane_of_tokens_trains_the_same_in_any_company() -> None:
    knobs: dict[str, Any] = {"kind": "tokens", "accumulation_steps": 2, "eval_every": 3}
    alone, others = lane(**knobs), [lane(**knobs, seed=seed) for seed in range(5, 10)]
    (curve,) = train(alone)
    again = lane(**knobs)
    assert train(others[0], again, *others[1:])[1] == curve
    assert torch.equal(again.rows["weights"], alone.rows["weights"])


def test_kernel_calls_hold_whole_batches_of_sequences() -> None:
    assert [batch_rows(batch, 64) for batch in (4, 12, 17, 64, 128, 129)] == [4, 12, 17, 64, 128, 65]
    assert batch_rows(3, 100_000) == 1


# --- losses and scores -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("knobs", [{}, {"label_smoothing": 0.2}, {"focal_gamma": 1.5}])
def test_the_loss_of_numbered_classes_is_that_of_the_table(knobs: dict[str, float]) -> None:
    outputs, targets = torch.randn(2, 9, 4).double(), torch.randint(0, 4, (2, 9))
    recipe = TrainingRecipe(**knobs)  # type: ignore[arg-type]
    loss = Loss([recipe, recipe], "classification", CPU)
    wanted = loss(outputs.clone(), F.one_hot(targets, 4).double())
    for one, other in zip(loss.of_tokens(outputs, targets), wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-7, rtol=1e-6)


def test_scores_in_pieces_are_those_of_the_whole() -> None:
    outputs, targets = torch.randn(2, 12, 5, 4).double(), torch.randint(-1, 4, (12, 5))
    for make in (lambda: TokenSums(2, CPU), lambda: ClassSums(2, 4, CPU)):
        whole, parts = make(), make()
        whole.add(outputs, targets)
        for start in range(0, 12, 5):
            parts.add(outputs[:, start : start + 5], targets[start : start + 5])
        for one, other in zip(whole.scores(), parts.scores(), strict=True):
            assert one == pytest.approx(other)
    from sklearn.metrics import balanced_accuracy_score, f1_score

    has = targets != IGNORED
    for at, scored in enumerate(whole.scores()):
        true, chosen = targets[has], outputs[at].argmax(dim=-1)[has]
        assert scored["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(true, chosen))
        assert scored["f1_macro"] == pytest.approx(f1_score(true, chosen, average="macro"))
        assert scored["loss"] == pytest.approx(float(F.cross_entropy(outputs[at][has], true)), rel=1e-6)


def test_the_noise_of_gradients_is_counted_in_tokens() -> None:
    own = lane(kind="tokens", batch_size=4, accumulation_steps=3, learning_rate=1e-12, epochs=1)
    part, network, cut = own.setup.data.train, own.setup.network, own.layout()
    index = draw(own.setup.recipe, 0, cut, None, part).index
    row = own.rows["weights"].clone().requires_grad_()
    record = NoiseRecord()
    for window in range(cut.steps):
        sums, counts = [], []
        for tick in np.flatnonzero(cut.window == window):
            chosen = torch.from_numpy(index[tick][cut.real[tick] > 0])
            outputs = network.forward(network.views(row.unsqueeze(0)), part.inputs[chosen].unsqueeze(0), None)[0]
            targets = part.targets[chosen].flatten()
            loss = F.cross_entropy(outputs.flatten(0, 1), targets, ignore_index=IGNORED)
            sums.append(torch.autograd.grad(loss, row)[0].double())
            counts.append(int((targets != IGNORED).sum()))
        if len(counts) == 1:
            continue  # there is nothing to compare
        total = sum(counts)
        mean = sum(n * g for n, g in zip(counts, sums, strict=True)) / total
        spread = sum(n * float((g - mean).square().sum()) for n, g in zip(counts, sums, strict=True)) / (
            len(counts) - 1
        )
        record.add(np.array([[spread, float(mean.square().sum()) - spread / total]]))
    ((point,),) = train(own)
    assert point["gradient_variance"] == pytest.approx(record.metrics()["gradient_variance"], rel=1e-3)
    assert PROBLEM.device == CPU
