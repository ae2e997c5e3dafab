"""What a recipe does step by step: averages, patience, batches and rates, the gradient noise of an epoch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from toylanes import lane, rows_by_step, train

from hpo.objectives.trainer.samples import draw
from hpo.objectives.trainer.schedules import rates
from hpo.objectives.trainer.together import Cohort
from hpo.objectives.trainer.training_recipe import TrainingRecipe

# --- steps, averages, patience ---------------------------------------------------------------------------------------


def test_the_exponential_average_is_that_of_torch() -> None:
    own = lane(average="ema", average_decay=0.8)
    rows = rows_by_step(own)
    module = torch.nn.Linear(1, len(rows[0]), bias=False)
    averaged = torch.optim.swa_utils.AveragedModel(module, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.8))
    for row in rows:
        module.weight.data = row.unsqueeze(1)
        averaged.update_parameters(module)
    torch.testing.assert_close(own.final, averaged.module.weight.data[:, 0], atol=1e-6, rtol=1e-5)


def test_the_even_average_is_the_mean_of_the_last_epochs() -> None:
    own = lane(average="swa", average_start=0.5, epochs=4)
    rows = rows_by_step(own)
    torch.testing.assert_close(own.final, torch.stack([rows[11], rows[15]]).mean(dim=0))


def test_patience_ends_the_curve_and_keeps_the_best_weights() -> None:
    own = lane(patience=3, epochs=200, learning_rate=0.5, momentum=0.9)
    (curve,) = train(own)
    losses = [point["val_loss"] for point in curve]
    best = losses.index(min(losses))
    assert len(curve) == best + 4
    again = lane(patience=3, epochs=200, learning_rate=0.5, momentum=0.9)
    cohort = Cohort()
    for _ in range(best + 1):
        cohort.advance([again])
    assert torch.equal(own.final, again.rows["weights"])
    (without,) = train(lane(epochs=200, learning_rate=0.5, momentum=0.9))
    assert without[: len(curve)] == curve


def test_gradient_noise_fades_as_its_paper_says() -> None:
    quiet, loud = lane(learning_rate=1e-3), lane(learning_rate=1e-3, gradient_noise=1.0)
    before = loud.rows["weights"].clone()
    rows = [before, *rows_by_step(loud)]
    plain = [before, *rows_by_step(quiet)]
    first = ((rows[1] - rows[0]) - (plain[1] - plain[0])) / -1e-3
    assert float(first.std()) == pytest.approx(1.0, abs=0.15)
    later = [float(((rows[t + 1] - rows[t]) - (plain[t + 1] - plain[t])).std()) / 1e-3 for t in range(12)]
    assert later[11] == pytest.approx(12**-0.275, abs=0.15)


def test_the_effective_batch_grows_while_every_sample_is_used_once() -> None:
    own = lane(batch_schedule="linear", batch_growth=3.0, epochs=3, batch_size=5)
    assert own.plan.total == 15
    steps = []
    while not own.done:
        Cohort().advance([own])
        steps.append(own.step)
    assert steps == [8, 12, 15]


def test_bfloat16_stays_near_float32() -> None:
    (full,) = train(lane())
    (half,) = train(lane(precision="bfloat16"))
    assert [p["train_loss"] for p in half] == pytest.approx([p["train_loss"] for p in full], abs=2e-2)


# --- rates -----------------------------------------------------------------------------------------------------------


def test_the_coupled_rate_follows_the_effective_batch() -> None:
    knobs: dict[str, Any] = {"learning_rate": 0.1, "batch_size": 32, "accumulation_steps": 4, "reference_batch": 32}
    assert TrainingRecipe(**knobs, coupling="sqrt").peak_rate == pytest.approx(0.2)
    assert TrainingRecipe(**knobs, coupling="linear").peak_rate == pytest.approx(0.4)


def test_the_timescale_of_weight_decay_is_the_one_asked_for() -> None:
    recipe = TrainingRecipe(learning_rate=0.01, batch_size=50, weight_timescale=5.0)
    decay = recipe.decay_of(1000)
    steps_to_forget = 1 / (recipe.peak_rate * decay)
    assert steps_to_forget / (1000 / 50) == pytest.approx(5.0)


def test_polynomial_and_one_cycle_follow_torch() -> None:
    def by_torch(scheduler: Any) -> list[float]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        schedule, found = scheduler(optimizer), []
        for _ in range(40):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        return found

    kinds = torch.optim.lr_scheduler
    own = TrainingRecipe(learning_rate=0.1, schedule="polynomial", power=3.0)
    assert rates(own, range(40), 40) == pytest.approx(by_torch(lambda o: kinds.PolynomialLR(o, 40, 3.0)))
    cycle = TrainingRecipe(learning_rate=0.1, schedule="one-cycle", warmup=0.25)
    expected = by_torch(lambda o: kinds.OneCycleLR(o, 0.1, total_steps=41, pct_start=0.25, cycle_momentum=False))
    again = rates(cycle, range(40), 41)
    assert again == pytest.approx(expected, abs=1e-9)


def test_wsd_stays_then_falls() -> None:
    recipe = TrainingRecipe(learning_rate=1.0, schedule="wsd", cooldown=0.25, warmup=0.1)
    found = rates(recipe, range(40), 40)
    assert found[3:31] == [1.0] * 28
    assert found[31:] == pytest.approx([1 - k / 9 for k in range(9)])


# --- gradient noise scale --------------------------------------------------------------------------------------------


def test_the_gradient_noise_of_an_epoch_is_the_unbiased_estimate_of_its_micro_batches() -> None:
    own = lane(batch_size=7, accumulation_steps=3, learning_rate=1e-12, epochs=1)
    network, part, cut = own.setup.network, own.setup.data.train, own.layout()
    drawn = draw(own.setup.recipe, 0, cut, own.setup.data.classes, part)
    row = own.rows["weights"].clone().requires_grad_()
    spreads, signals = [], []
    for window in range(cut.steps):
        means, counts = [], []
        for tick in np.flatnonzero(cut.window == window):
            chosen = torch.from_numpy(drawn.index[tick][cut.real[tick] > 0])
            outputs = network.forward(network.views(row.unsqueeze(0)), part.inputs[chosen].unsqueeze(0), None)[0]
            (gradient,) = torch.autograd.grad(F.cross_entropy(outputs, part.targets[chosen]), row)
            means.append(gradient.double())
            counts.append(len(chosen))
        total = sum(counts)
        mean = sum(n * g for n, g in zip(counts, means, strict=True)) / total
        spread = sum(n * (g - mean).square().sum() for n, g in zip(counts, means, strict=True)) / (len(counts) - 1)
        spreads.append(float(spread))
        signals.append(float(mean.square().sum() - spread / total))
    ((point,),) = train(own)
    assert point["gradient_variance"] == pytest.approx(np.mean(spreads), rel=1e-3)
    assert point["gradient_square"] == pytest.approx(np.mean(signals), rel=1e-3, abs=1e-6)
    assert "gradient_variance" not in train(lane(batch_size=8, epochs=1))[0][0]
    assert math.isfinite(point["gradient_square"])
