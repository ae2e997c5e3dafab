"""Lines as programs print them: which are points, which of several ways counts, and that other lines change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.running.printed import Readings
from hpo.search.terms.named import canonical, named_numbers


def read(lines: Sequence[str], *goals: str, error: bool = False, **settings: Any) -> list[Any]:
    """Points of the lines; one that ends with a carriage return is written over."""
    readings, found = Readings(goals, **settings), list[Any]()
    for line in lines:
        found += readings.printed(line.removesuffix("\r"), over=line.endswith("\r"), error=error)
    return [*found, *readings.end()]


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("epoch 3 val_loss=0.12", "val_loss", 0.12),
        ("[2026-01-02 10:11:12] INFO val_loss: 1.5e-3 (3.2s)", "val_loss", 1.5e-3),
        ("step 250: train loss 1.9, val loss 2.1", "val_loss", 2.1),
        ("{'eval_loss': 0.25, 'epoch': 1.0}", "eval_loss", 0.25),
        ("Test set: Average loss: 0.0481, Accuracy: 9839/10000 (98%)", "Accuracy", 0.9839),
        ("[0]\tvalidation_0-rmse:0.5\tvalidation_1-rmse:0.75", "validation_1-rmse", 0.75),
        ("[10]\tvalid_0's l2: 0.3", "valid_0_l2", 0.3),
        ("loss=tensor(0.5, grad_fn=<MeanBackward0>)", "loss", 0.5),
        ("Validation Acc = 91.5%", "val_accuracy", 91.5),
        ("\x1b[1m32/32\x1b[0m \x1b[32m━━━\x1b[0m 5s 2ms/step - loss: 0.5 - val_loss: 0.25", "val_loss", 0.25),
        ("rmse: nan", "rmse", pytest.approx(float("nan"), nan_ok=True)),
    ],
)
def test_a_metric_is_found_as_people_print_it(line: str, name: str, value: float) -> None:
    (point,) = read([line], name)
    assert point[name] == value


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("val_rmse: 1,250.00", {"val_rmse": 1250.0}),
        ("val_acc: 9,800/10,000", {"val_acc": 0.98}),
        ("val_loss: 0,53", {}),  # a decimal comma, or two numbers
        ("epoch 1 val loss=1.2 train loss=0.9", {"epoch": 1.0, "val loss": 1.2, "train loss": 0.9}),
        ("val_loss=7.0 best val_loss=0.2", {"val_loss": 7.0, "best val_loss": 0.2}),
        ("delta val_loss=-0.3", {"delta val_loss": -0.3}),
        ("val_loss=1 val_loss=2", {}),
        ("resume from 'val_loss=0.01.ckpt'", {}),
        ("saved ckpt val_loss=0.01.pt", {}),
        (r"C:\runs\val_loss=0.01", {}),
        ("Namespace(val_loss=0.0)", {}),
        ("train Loss: 0.6 Acc: 0.99", {"train Loss": 0.6, "train Acc": 0.99}),
        ("[val] loss=0.4 acc=0.5", {"val loss": 0.4, "val acc": 0.5}),
        ("loss: NAN", {"loss": pytest.approx(float("nan"), nan_ok=True)}),
    ],
)
def test_a_number_is_not_taken_for_what_it_is_not(line: str, found: dict[str, Any]) -> None:
    assert named_numbers(line) == found


@given(st.floats(-1e12, 1e12).map(lambda value: round(value, 2)), st.sampled_from(["{:.2f}", "{:,.2f}", "{:_.2f}"]))
def test_a_number_is_read_whole_however_its_digits_are_grouped(value: float, form: str) -> None:
    assert named_numbers(f"val_loss: {form.format(value)}") == {"val_loss": value}


@pytest.mark.parametrize(
    "line",
    ["Best val loss so far: 0.1", "val_loss improved", "val_loss: 20ms", "batch 3 of 4", "http://val_loss", "3.5"],
)
def test_what_sounds_alike_is_no_point_of_a_run_that_names_its_metric(line: str) -> None:
    assert [point["val_loss"] for point in read([line, "val_loss: 0.5", line, "val_loss: 0.25"], "val_loss")] == [
        0.5,
        0.25,
    ]


def test_a_point_waits_for_every_goal_and_holds_what_was_told_since() -> None:
    lines = ["train loss: 3.0", "val loss: 2.0", "lr: 0.1", "val acc: 0.5", "val loss: 1.0", "val acc: 0.75"]
    assert read(lines, "val_loss", "val_acc", knobs=["lr"]) == [
        {"train loss": 3.0, "val_loss": 2.0, "val_acc": 0.5}, {"val_loss": 1.0, "val_acc": 0.75}
    ]  # fmt: skip


def test_states_of_a_bar_are_points_once_each() -> None:
    epochs = [f" {n}/3 [00:0{n}<00:01, val_loss=0.{k}]\r" for n, k in ((0, 5), (1, 5), (1, 5), (2, 5), (2, 4))]
    assert [point["val_loss"] for point in read([*epochs, " 3/3 [00:03<00:00, val_loss=0.4]"], "val_loss")] == [
        0.5,
        0.5,
        0.4,
    ]
    inside = [f"Epoch {e}: {n}/2 [00:01<00:01, loss={e}.{n}]\r" for e in (1, 2) for n in (0, 1)]
    assert [point["loss"] for point in read([*inside, "Epoch 2: 2/2 [00:02<00:00, loss=2.5]"], "loss")] == [1.1, 2.5]
    keras = ["Epoch 1/2", " 1/2 ━━━ 1ms/step - loss: 9.0", " 2/2 ━━━ 1ms/step - loss: 3.0", "Epoch 2/2"]
    assert [point["loss"] for point in read([*keras, " 2/2 ━━━ 1ms/step - loss: 2.0"], "loss")] == [3.0, 2.0]
    assert [point["loss"] for point in read(["loss 0.5\r", "loss 0.4\r", "loss 0.3"], "loss")] == [0.3]


def test_the_more_telling_way_is_the_curve() -> None:
    readings = Readings(["loss"])
    found = [*readings.logged({}), *readings.printed("loss: 0.1"), *readings.logged({"loss": 0.125})]
    found += [*readings.printed("loss: 0.2"), *readings.logged({"loss": 0.25}), *readings.end()]
    assert found == [{"loss": 0.125}, {"loss": 0.25}]
    readings = Readings(["loss"])
    found = [
        *readings.printed("loss: 0.5", error=True),
        *readings.printed("loss: 0.25"),
        *readings.printed("loss: 0.2"),
    ]
    assert found == [{"loss": 0.25}, {"loss": 0.2}]
    assert read(["0.5", "0.25"], "loss") == [0.5, 0.25]
    assert read(["60000", "10000", "loss: 0.5"], "loss") == [{"loss": 0.5}]  # how many rows there are
    readings = Readings(["value"])
    assert [*readings.printed("0.5"), *readings.printed("0.25")] == [0.5, 0.25]  # as they come
    assert read(["loss: 0.5", "loss: 0.25"], "loss", error=True) == [{"loss": 0.5}, {"loss": 0.25}]


def test_a_step_of_ones_own_grows_and_else_points_are_counted() -> None:
    lines = ['{"step": 0, "loss": 1}', '{"step": 5, "loss": 2}', '{"step": 5, "loss": 3}', '{"loss": 4}']
    assert [point.get("step") for point in read(lines, "loss")] == [1, 6, None, None]


STRAY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=40).filter(
    lambda text: not any(canonical(name) == "val_loss" for name in named_numbers(text))
)


@given(
    st.lists(STRAY, max_size=6), st.lists(st.floats(0, 10).map(lambda value: round(value, 3)), min_size=1, max_size=5)
)
def test_stray_lines_change_no_curve_and_fail_nothing(stray: list[str], values: list[float]) -> None:
    lines = [line for value in values for line in (*stray, f"val_loss: {value}")]
    assert [point["val_loss"] for point in read([*lines, *stray], "val_loss")] == values
