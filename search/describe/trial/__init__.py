"""Scripts written for Optuna: functions of a ``trial`` that suggests their knobs, read without running them."""
