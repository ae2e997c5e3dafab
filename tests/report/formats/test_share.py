"""The samples of a step among devices: nothing is lost in silence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpo.search.report.formats.common.share import roomier, share

SIZES = (st.integers(1, 5000), st.integers(1, 300), st.integers(1, 64))


@given(*SIZES)
def test_per_device_times_devices_times_accumulation_is_the_step_or_the_nearest_one(
    wanted: int, micro: int, devices: int
) -> None:
    cut = share(wanted, micro, devices)
    assert cut.effective == cut.per_device * cut.devices * cut.accumulation == wanted + cut.difference
    assert 1 <= cut.per_device <= micro
    assert (cut.difference == 0) == (wanted % devices == 0)
    reachable = [k * devices for k in range(1, wanted // devices + 2)]
    assert abs(cut.difference) == min(abs(size - wanted) for size in reachable)


@given(*SIZES)
def test_no_larger_micro_batch_would_divide_it(wanted: int, micro: int, devices: int) -> None:
    cut = share(wanted, micro, devices)
    part = cut.per_device * cut.accumulation
    assert not [size for size in range(cut.per_device + 1, min(micro, part) + 1) if part % size == 0]


@given(*SIZES)
def test_a_roomier_step_is_named_where_the_micro_batch_is_less_than_half_full(
    wanted: int, micro: int, devices: int
) -> None:
    cut = share(wanted, micro, devices)
    more = roomier(cut, micro)
    assert (more == 0) == (2 * cut.per_device > min(micro, cut.per_device * cut.accumulation))
    assert more % (micro * devices) == 0
