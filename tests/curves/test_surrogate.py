"""The process over recipes and steps: what it makes of noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.search.curves.shapes import shape_covariance
from hpo.search.curves.surrogate import Kernel, Observations, Posterior, _Evidence

HORIZON = 20


def observed(noise: float, seed: int = 0) -> Observations:
    """Four recipes, of which the better ones lie further to the right, at five steps each."""
    rng = np.random.default_rng(seed)
    rows, steps = np.linspace(0.0, 1.0, 4)[:, None], np.tile([1.0, 3.0, 6.0, 12.0, 20.0], 4)
    trial = np.repeat(np.arange(4), 5)
    values = rows[trial, 0] - np.exp(-steps / 5.0)
    return Observations(rows, trial, steps, values - values.mean() + noise * rng.standard_normal(values.size))


def posterior(data: Observations) -> Posterior:
    kernel = Kernel(np.array([0]), shape_covariance(HORIZON))
    return Posterior(kernel, kernel.fit(data, kernel.centre()), data)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.0, 0.5), st.integers(0, 5))
def test_what_is_fitted_is_what_is_predicted_there(noise: float, seed: int) -> None:
    data = observed(noise, seed)
    found = posterior(data)
    mean, _ = found.predict(data.rows[data.trial], data.trial, data.steps)
    assert found.fitted == pytest.approx(mean, abs=1e-6)


def test_the_best_of_noisy_points_is_believed_less_than_that_of_smooth_ones() -> None:
    smooth, noisy = observed(0.0), observed(0.4)
    assert posterior(smooth).fitted.max() == pytest.approx(smooth.values.max(), abs=0.05)
    assert posterior(noisy).fitted.max() < noisy.values.max() - 0.1


def test_what_is_supposed_is_what_its_points_would_say() -> None:
    data, kernel = observed(0.1), Kernel(np.array([0]), shape_covariance(HORIZON))
    found = Posterior(kernel, kernel.centre(), data)
    rows, trial, steps = np.array([[1.0 / 3.0], [0.7]]), np.array([1, -1]), np.array([15.0, 1.0])
    mean, _ = found.predict(rows, trial, steps)
    joined = Observations(
        np.concatenate([data.rows, rows[1:]]), np.append(data.trial, [1, 4]),
        np.append(data.steps, steps), np.append(data.values, mean),
    )  # fmt: skip
    asked = np.concatenate([data.rows, [[0.2], [0.8]]]), np.array([0, 1, 2, 3, -1, -1]), np.full(6, 18.0)
    supposed = found.supposing(rows, trial, steps).predict(*asked)
    for told, seen in zip(supposed, Posterior(kernel, kernel.centre(), joined).predict(*asked), strict=True):
        assert told == pytest.approx(seen, abs=1e-9)
    assert (supposed[1] <= found.predict(*asked)[1]).all()


def test_the_slope_of_the_evidence_is_that_of_its_values() -> None:
    data, kernel = observed(0.1), Kernel(np.array([0]), shape_covariance(HORIZON))
    evidence, theta = _Evidence(kernel, data), kernel.centre() + 0.1
    _, gradient = evidence.negative(theta)
    for i, step in enumerate(1e-5 * np.eye(theta.size)):
        rise = evidence.negative(theta + step)[0] - evidence.negative(theta - step)[0]
        assert gradient[i] == pytest.approx(rise / 2e-5, rel=1e-4, abs=1e-5)
