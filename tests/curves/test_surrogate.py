"""The process over recipes and steps: what it makes of noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.search.curves.shapes import shape_covariance
from hpo.search.curves.surrogate import Kernel, Observations, Posterior

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
