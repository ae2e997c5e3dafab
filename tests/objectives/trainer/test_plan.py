"""How an epoch is cut, in which order, with which masks, at which rates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hpo.objectives.trainer.noise import Masks
from hpo.objectives.trainer.order import generator, layout, micro_size
from hpo.objectives.trainer.schedules import rates
from hpo.objectives.trainer.training_recipe import TrainingRecipe

COUNTS = st.integers(1, 200)


@given(COUNTS, st.integers(1, 70), st.integers(1, 5))
def test_every_sample_is_used_once_and_windows_have_their_own_item_count(count: int, batch: int, steps: int) -> None:
    cut = layout(count, batch * steps, batch, micro_size(batch))
    real = cut.real > 0
    assert cut.places[real].tolist() == list(range(count))
    for window in range(cut.steps):
        inside = cut.window == window
        wanted = min(batch * steps, count - window * batch * steps)
        assert set(cut.items[inside]) == {wanted}
        assert real[inside].sum() == wanted
        assert cut.begins[inside].tolist() == [True] + [False] * (inside.sum() - 1)
        assert cut.ends[inside].tolist() == [False] * (inside.sum() - 1) + [True]
    assert (cut.real / cut.items[:, None]).sum() == pytest.approx(cut.steps)


@given(st.integers(1, 5000))
def test_a_micro_batch_is_a_power_of_two_and_wastes_less_than_it_saves(batch: int) -> None:
    size = micro_size(batch)
    assert size in {1, 2, 4, 8, 16, 32, 64}
    assert -(-batch // size) * size < 2 * batch


def test_orders_differ_between_seeds_and_epochs_and_repeat_for_equal_ones() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return generator(seed, "order", epoch).permutation(50).tolist()

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.93])
def test_masks_keep_the_share_they_should_and_the_mean(p: float) -> None:
    masks = Masks([(0, 0), (1, 0)], [(p,), (0.5,)], [(100,)], 32, torch.device("cpu"))
    drawn = torch.stack([masks.at(tick, 2)[0] for tick in range(60)])[:, 0]
    assert set(drawn.unique().tolist()) <= {0.0, float(np.float32(1 / (1 - p)))}
    assert (drawn == 0).float().mean() == pytest.approx(p, abs=0.01)
    assert drawn.mean() == pytest.approx(1.0, abs=0.03)


def test_masks_of_a_lane_do_not_depend_on_the_others() -> None:
    together = Masks([(7, 2), (8, 0)], [(0.2, 0.4), (0.5, 0.0)], [(5,), (2, 3)], 4, torch.device("cpu"))
    alone = Masks([(7, 2)], [(0.2, 0.4)], [(5,), (2, 3)], 4, torch.device("cpu"))
    for tick in range(50):
        for one, other in zip(together.at(tick, 2), alone.at(tick, 1), strict=True):
            assert torch.equal(one[:1], other)


def torch_rates(make: object, total: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = make(optimizer)  # type: ignore[operator]
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


LR = torch.optim.lr_scheduler
SCHEDULES = {
    "constant": (TrainingRecipe(schedule="constant"), lambda o: LR.ConstantLR(o, 1.0)),
    "step": (TrainingRecipe(schedule="step", decay=0.3, drops=4), lambda o: LR.StepLR(o, 10, 0.3)),
    "exponential": (TrainingRecipe(schedule="exponential", decay=0.2), lambda o: LR.ExponentialLR(o, 0.2 ** (1 / 50))),
    "linear": (TrainingRecipe(schedule="linear", floor=0.1), lambda o: LR.LinearLR(o, 1.0, 0.1, 50)),
    "cosine": (TrainingRecipe(schedule="cosine", floor=0.05), lambda o: LR.CosineAnnealingLR(o, 50, 0.005)),
    "warmup then cosine": (
        TrainingRecipe(schedule="cosine", warmup=0.2),
        lambda o: LR.SequentialLR(o, [LR.LinearLR(o, 0.1, 1.0, 9), LR.CosineAnnealingLR(o, 40)], [10]),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_follows_its_scheduler_in_torch_at_every_step(name: str) -> None:
    recipe, scheduler = SCHEDULES[name]
    recipe = TrainingRecipe(**{**vars(recipe), "learning_rate": 0.1})
    own = rates(recipe, range(50), 50)
    assert own == pytest.approx(torch_rates(scheduler, 50), abs=1e-9)


@given(st.sampled_from(["constant", "step", "exponential", "linear", "cosine"]), st.floats(0, 0.9), st.integers(1, 300))
def test_rates_rise_to_the_full_rate_then_never_rise_again(schedule: str, warmup: float, total: int) -> None:
    recipe = TrainingRecipe(learning_rate=1.0, schedule=schedule, warmup=warmup)
    found = rates(recipe, range(total), total)
    peak = max(round(warmup * total) - 1, 0)
    assert found[peak] == 1.0
    assert found[: peak + 1] == sorted(found[: peak + 1])
    assert found[peak:] == sorted(found[peak:], reverse=True)
    assert min(found) >= 0
