"""Every knob of a training recipe: its neutral value changes nothing, another value does what its source says."""

from __future__ import annotations

import math
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hpo.search.cohort import augment
from hpo.search.cohort.cohort import Cohort
from hpo.search.cohort.data import Splits
from hpo.search.cohort.lane import Lane
from hpo.search.cohort.layers import Activation, Linear, Sequential
from hpo.search.cohort.losses import Loss
from hpo.search.cohort.order import layout
from hpo.search.cohort.problem import Problem
from hpo.search.cohort.recipe import TrainingRecipe
from hpo.search.cohort.samples import draw
from hpo.search.cohort.schedules import rates
from hpo.search.errors import UserError
from hpo.search.executors import Task


def build(*, width: int = 8) -> Sequential:
    from hpo.search.cohort.layers import Flatten

    return Sequential((Flatten(), Linear(width), Activation("tanh"), Linear()))


def data(*, kind: str = "classes") -> Splits:
    random = np.random.default_rng(1)
    x = random.normal(size=(60, 1, 4, 4)).astype("float32")
    y = (x[:, 0, 0, 0] > 0.5).astype(int) + (x[:, 0, 1, 1] > 0)
    if kind == "values":
        return Splits((x[:40], 2 * x[:40, 0, 0, 0]), (x[40:], 2 * x[40:, 0, 0, 0]), None, "regression")
    return Splits((x[:40], y[:40]), (x[40:], y[40:]), None, "classification", 3)


PROBLEM = Problem(SimpleNamespace(__name__="toy", build=build, data=data), Task("toy"))

NEUTRAL: dict[str, Any] = {
    "epochs": 3, "batch_size": 10, "learning_rate": 0.05, "schedule": "constant", "optimizer": "sgd",
    "weight_decay": 0.0, "momentum": 0.0,
}  # fmt: skip

ACTIVE: dict[str, tuple[Any, dict[str, Any]]] = {
    # knob: (value with an effect, what it needs beside it); the neutral value is the default or the one in NEUTRAL
    "accumulation_steps": (2, {}),
    "batch_schedule": ("linear", {}),
    "batch_growth": (3.0, {"batch_schedule": "step"}),
    "effective_batch": (15, {}),
    "max_steps": (7, {}),
    "adam_rate": (1e-3, {"optimizer": "muon"}),
    "coupling": ("sqrt", {}),
    "reference_batch": (5, {"coupling": "linear"}),
    "schedule": ("cosine", {}),
    "warmup": (0.5, {}),
    "floor": (0.5, {"schedule": "linear"}),
    "decay": (0.5, {"schedule": "step"}),
    "drops": (5, {"schedule": "step"}),
    "power": (4.0, {"schedule": "polynomial"}),
    "cooldown": (0.9, {"schedule": "wsd"}),
    "optimizer": ("lion", {}),
    "momentum": (0.9, {}),
    "nesterov": (True, {"momentum": 0.9}),
    "beta1": (0.5, {"optimizer": "adam"}),
    "beta2": (0.5, {"optimizer": "rmsprop"}),
    "epsilon": (0.1, {"optimizer": "adam"}),
    "clip_norm": (0.1, {}),
    "precision": ("bfloat16", {}),
    "weight_decay": (0.1, {}),
    "weight_timescale": (1.0, {"optimizer": "adamw"}),
    "l1": (0.1, {}),
    "label_smoothing": (0.2, {}),
    "label_noise": (0.5, {}),
    "input_noise": (0.5, {}),
    "gradient_noise": (0.1, {}),
    "mixup": (0.5, {}),
    "average": ("ema", {}),
    "average_decay": (0.5, {"average": "ema"}),
    "average_start": (0.1, {"average": "swa"}),
    "feature_masking": (0.3, {}),
    "shift": (0.3, {}),
    "rotation": (45.0, {}),
    "flip": (0.5, {}),
    "cutout": (0.5, {}),
    "class_weight": ("balanced", {}),
    "resample": ("balanced", {}),
    "focal_gamma": (2.0, {}),
    "loss": ("mae", {"kind": "values"}),
    "huber_delta": (0.1, {"loss": "huber", "kind": "values"}),
    "epochs": (4, {}),
    "batch_size": (8, {}),
    "learning_rate": (0.01, {}),
    "seed": (1, {}),
}


def lane(**knobs: Any) -> Lane:
    return Lane(0, PROBLEM.trial({**NEUTRAL, **knobs}))


def train(*lanes: Lane) -> list[list[dict[str, float]]]:
    curves: list[list[dict[str, float]]] = [[] for _ in lanes]
    cohort = Cohort()
    while running := [own for own in lanes if not own.done]:
        cohort.advance(running)
        for curve, own in zip(curves, lanes, strict=True):
            if own in running:
                curve.append(dict(own.metrics))
    return curves


def test_every_knob_has_a_case_here() -> None:
    assert set(ACTIVE) | {"patience"} == {field.name for field in fields(TrainingRecipe)}


@pytest.mark.parametrize("knob", ACTIVE)
def test_a_knob_has_an_effect_and_a_lane_without_it_is_left_alone(knob: str) -> None:
    value, beside = ACTIVE[knob]
    (without,) = train(plain := lane(**beside))
    changed, unchanged = lane(**beside, **{knob: value}), lane(**beside)
    if changed.key == unchanged.key:
        with_it, beside_it = train(changed, unchanged)
        assert beside_it == without  # in one cohort with the changed lane, to the last bit
        assert torch.equal(unchanged.rows["weights"], plain.rows["weights"])
    else:
        (with_it,) = train(changed)
    assert with_it != without


@pytest.mark.parametrize(
    "knobs",
    [
        {"learning_rate": 0.0}, {"batch_size": 0}, {"momentum": 1.0}, {"schedule": "sometimes"}, {"warmup": 1.5},
        {"epochs": 2.5}, {"l1": -1}, {"nesterov": True}, {"weight_timescale": 1.0}, {"loss": "mae"}, {"dropout": 0.5},
        {"batch_size": True}, {"learning_rate": "fast"},
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused_by_name(knobs: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(knobs))):
        lane(**knobs)


# --- losses ----------------------------------------------------------------------------------------------------------


def against_torch(recipe: TrainingRecipe, expected: Any, task: str) -> None:
    outputs = torch.randn(2, 7, 3 if task == "classification" else 1, requires_grad=True)
    if task == "classification":
        targets = torch.randint(0, 3, (2, 7))
        wanted = F.one_hot(targets, 3).float()
    else:
        targets = wanted = torch.randn(2, 7, 1)
    each = expected(outputs, targets)
    (gradient,) = torch.autograd.grad(each.sum(), outputs)
    own_each, own_gradient = Loss([recipe, recipe], task, torch.device("cpu"))(outputs.detach(), wanted)  # type: ignore[arg-type]
    torch.testing.assert_close(own_each, each.detach(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(own_gradient, gradient, atol=1e-6, rtol=1e-5)


def entropy(outputs: torch.Tensor, targets: torch.Tensor, **more: Any) -> torch.Tensor:
    return F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none", **more).view(2, 7)


def test_label_smoothing_is_that_of_torch() -> None:
    recipe = TrainingRecipe(label_smoothing=0.2)
    against_torch(recipe, lambda o, t: entropy(o, t, label_smoothing=0.2), "classification")


def test_the_focal_loss_weighs_by_the_missing_probability() -> None:
    def focal(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        p = outputs.softmax(dim=2).gather(2, targets.unsqueeze(2)).squeeze(2)
        return -((1 - p) ** 1.5) * p.log()

    against_torch(TrainingRecipe(focal_gamma=1.5), focal, "classification")


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", F.mse_loss),
        ("mae", F.l1_loss),
        ("huber", lambda o, t, reduction: F.huber_loss(o, t, reduction=reduction, delta=0.4)),
    ],
)
def test_losses_of_regression_are_those_of_torch(loss: Any, expected: Any) -> None:
    recipe = TrainingRecipe(loss=loss, huber_delta=0.4)
    against_torch(recipe, lambda o, t: expected(o, t, reduction="none").squeeze(2), "regression")


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_scores_do_not_depend_on_the_loss(loss: str) -> None:
    own = lane(kind="values", loss=loss, learning_rate=1e-9, epochs=1)
    ((point,),) = train(own)
    ((other,),) = train(lane(kind="values", learning_rate=1e-9, epochs=1))
    assert point["val_loss"] == pytest.approx(other["val_loss"])


# --- imbalance -------------------------------------------------------------------------------------------------------

CLASSES = np.array([0] * 70 + [1] * 25 + [2] * 5)


def test_balanced_weights_are_those_of_scikit_learn_and_the_window_is_their_weighted_mean() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    cut = layout(100, 20, 20, 32)
    drawn = draw(TrainingRecipe(class_weight="balanced"), 0, cut, CLASSES, 100)
    weights = compute_class_weight("balanced", classes=np.arange(3), y=CLASSES)
    assert drawn.share.sum() == pytest.approx(cut.steps)
    first = drawn.share[0][cut.real[0] > 0]
    expected = weights[CLASSES[drawn.target[0][cut.real[0] > 0]]]
    assert first == pytest.approx(expected / expected.sum())
    rooted = draw(TrainingRecipe(class_weight="sqrt"), 0, cut, CLASSES, 100).share[0][cut.real[0] > 0]
    assert rooted == pytest.approx(np.sqrt(expected) / np.sqrt(expected).sum())


def test_resampling_shows_all_classes_equally_often() -> None:
    seen = np.zeros(3)
    for epoch in range(60):
        drawn = draw(TrainingRecipe(resample="balanced"), epoch, layout(100, 100, 100, 128), CLASSES, 100)
        seen += np.bincount(CLASSES[drawn.index.ravel()[:100]], minlength=3)
    assert seen / seen.sum() == pytest.approx([1 / 3] * 3, abs=0.02)


def test_label_noise_changes_its_share_of_targets_the_same_ones_in_every_epoch() -> None:
    found = []
    for epoch in range(2):
        drawn = draw(TrainingRecipe(label_noise=0.4, seed=3), epoch, layout(1000, 1000, 1000, 1024), None, 1000)
        own = dict(zip(drawn.index[0, :1000].tolist(), drawn.target[0, :1000].tolist(), strict=True))
        found.append(own)
    assert found[0] == found[1]
    assert sum(sample != target for sample, target in found[0].items()) == pytest.approx(400, abs=50)


def test_mixup_mixes_inputs_and_targets_in_one_proportion() -> None:
    drawn = draw(TrainingRecipe(mixup=0.4), 0, layout(4000, 4000, 4000, 4096), None, 4000)
    assert drawn.part is not None
    assert drawn.part.mean() == pytest.approx(0.5, abs=0.02)
    assert drawn.part.var() == pytest.approx(0.25 / (2 * 0.4 + 1), abs=0.01)  # of Beta(a, a)


# --- augmentation ----------------------------------------------------------------------------------------------------


class Fixed:
    """A generator whose uniform numbers all lie at the upper end."""

    def uniform(self, low: float, high: float, size: Any) -> Any:
        return np.full(size, float(high))

    def random(self, size: Any) -> Any:
        return np.zeros(size)


IMAGES = torch.randn(2, 3, 8, 8)


def moved(**knobs: Any) -> torch.Tensor:
    return augment.move(IMAGES, TrainingRecipe(**knobs), Fixed())  # type: ignore[arg-type]


def test_an_image_is_mirrored_turned_and_shifted() -> None:
    torch.testing.assert_close(moved(flip=1.0), IMAGES.flip(3), atol=1e-5, rtol=1e-5)
    turned = moved(rotation=90.0)
    assert min(float((turned - IMAGES.rot90(k, (2, 3))).abs().max()) for k in (1, 3)) < 1e-4
    torch.testing.assert_close(moved(shift=0.25)[:, :, :6, :6], IMAGES[:, :, 2:, 2:], atol=1e-5, rtol=1e-5)
    assert float(moved(shift=0.25)[:, :, 6:].abs().max()) < 1e-5


def test_cutout_sets_a_square_to_zero() -> None:
    random = np.random.default_rng(0)
    gone = (augment.cut(torch.ones(300, 1, 8, 8), TrainingRecipe(cutout=0.5), random) == 0).sum(dim=(1, 2, 3))
    assert int(gone.max()) in (16, 20, 25)
    assert int(gone.min()) < 16


def test_masking_and_noise_have_their_share_and_deviation() -> None:
    random, x = np.random.default_rng(0), torch.ones(500, 40)
    masked = augment.mask(x, TrainingRecipe(feature_masking=0.3), random)
    assert float((masked == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    noisy = augment.noise(x, TrainingRecipe(input_noise=0.7), random) - x
    assert float(noisy.std()) == pytest.approx(0.7, abs=0.01)


# --- steps, averages, patience ---------------------------------------------------------------------------------------


def rows_by_step(own: Lane) -> list[torch.Tensor]:
    rows: list[torch.Tensor] = []
    stepped = own.stepped

    def watch() -> None:
        rows.append(own.rows["weights"].clone())
        stepped()

    own.stepped = watch  # type: ignore[method-assign]
    train(own)
    return rows


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
    network, part, cut = own.trial.network, own.trial.data.train, own.layout()
    drawn = draw(own.trial.recipe, 0, cut, own.trial.data.classes, len(part))
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
