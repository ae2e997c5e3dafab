"""Every knob of a training recipe: its neutral value changes nothing, another value does what its source says."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from toylanes import lane, train

from hpo.objectives.trainer import augment
from hpo.objectives.trainer.losses import Loss
from hpo.objectives.trainer.order import layout
from hpo.objectives.trainer.samples import draw
from hpo.objectives.trainer.tensors import Part
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.errors import UserError

ACTIVE: dict[str, tuple[Any, dict[str, Any]]] = {
    # knob: (value with an effect, what it needs beside it); the neutral value is the default or the one in NEUTRAL
    "accumulation_steps": (2, {}),
    "batch_schedule": ("linear", {}),
    "batch_growth": (3.0, {"batch_schedule": "step"}),
    "effective_batch": (15, {}),
    "max_steps": (7, {}),
    "max_tokens": (99, {"kind": "tokens"}),
    "eval_every": (3, {}),
    "tokens_per_step": (40, {"kind": "tokens"}),
    "length_warmup": (0.5, {"kind": "tokens", "eval_every": 3}),
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
    "freeze": (1, {}),
    "layer_decay": (0.5, {}),
    "head_rate": (3.0, {}),
    "lora_rank": (2, {}),
    "lora_alpha": (1.0, {"lora_rank": 2}),
    "scoring": ("log_loss", {}),
}


def test_every_knob_has_a_case_here() -> None:
    of_two_classes = {"threshold", "false_positive", "false_negative"}  # what they do is tested where it is computed
    assert set(ACTIVE) | {"patience"} | of_two_classes == {field.name for field in fields(TrainingRecipe)}


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


def part(count: int) -> Part:
    return Part(torch.zeros(count, 1), torch.zeros(count, dtype=torch.int64), 3)


def test_balanced_weights_are_those_of_scikit_learn_and_the_window_is_their_weighted_mean() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    cut = layout(100, 20, 20, 32)
    drawn = draw(TrainingRecipe(class_weight="balanced"), 0, cut, CLASSES, part(100))
    weights = compute_class_weight("balanced", classes=np.arange(3), y=CLASSES)
    assert drawn.share.sum() == pytest.approx(cut.steps)
    first = drawn.share[0][cut.real[0] > 0]
    expected = weights[CLASSES[drawn.target[0][cut.real[0] > 0]]]
    assert first == pytest.approx(expected / expected.sum())
    rooted = draw(TrainingRecipe(class_weight="sqrt"), 0, cut, CLASSES, part(100)).share[0][cut.real[0] > 0]
    assert rooted == pytest.approx(np.sqrt(expected) / np.sqrt(expected).sum())


def test_resampling_shows_all_classes_equally_often() -> None:
    seen = np.zeros(3)
    for epoch in range(60):
        drawn = draw(TrainingRecipe(resample="balanced"), epoch, layout(100, 100, 100, 128), CLASSES, part(100))
        seen += np.bincount(CLASSES[drawn.index.ravel()[:100]], minlength=3)
    assert seen / seen.sum() == pytest.approx([1 / 3] * 3, abs=0.02)


def test_label_noise_changes_its_share_of_targets_the_same_ones_in_every_epoch() -> None:
    found = []
    for epoch in range(2):
        drawn = draw(TrainingRecipe(label_noise=0.4, seed=3), epoch, layout(1000, 1000, 1000, 1024), None, part(1000))
        own = dict(zip(drawn.index[0, :1000].tolist(), drawn.target[0, :1000].tolist(), strict=True))
        found.append(own)
    assert found[0] == found[1]
    assert sum(sample != target for sample, target in found[0].items()) == pytest.approx(400, abs=50)


def test_mixup_mixes_inputs_and_targets_in_one_proportion() -> None:
    drawn = draw(TrainingRecipe(mixup=0.4), 0, layout(4000, 4000, 4000, 4096), None, part(4000))
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
