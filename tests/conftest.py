"""Settings for all tests."""

from hypothesis import settings

# A busy machine is no failure: what takes how long is measured under benchmarks/.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
