"""What people write in tests, ranges and names: every form must be met as it is."""

import argparse

import optuna

LOW, HIGH = 1e-4, 10**-1
CONFIG = {"width": [2**3, 1 << 6], "rates": dict(low=0.1, high=0.9)}
SIZES = tuple(range(8, 40, 8))
args = argparse.ArgumentParser().parse_args()


class Defaults:
    low = 0.25


class Search:
    names = ("first", "second")

    def __init__(self, shift):
        self.shift = shift

    def rate(self, trial, name):
        return trial.suggest_float(name, LOW, HIGH, log=True)

    def __call__(self, trial):
        kind = trial.suggest_categorical("kind", ["Alpha", "Beta", "gamma"])
        n = trial.suggest_int("n", 1, 6)
        if kind in {"Alpha", "Beta"}:
            self.rate(trial, "in_set")
        if kind == "Alpha" or kind == "gamma":
            trial.suggest_int("either", CONFIG["width"][0], CONFIG["width"][1])
        if 1 < n <= 3:
            trial.suggest_float("between", Defaults.low, 1.0)
        if n % 2 == 0 and kind.startswith("B"):
            trial.suggest_float("even_b", 0.0, 0.5)
        if (deep := trial.suggest_categorical("deep", [True, False])) and kind != "gamma":
            trial.suggest_categorical("size", SIZES)
        if not deep:
            trial.suggest_float("shallow", CONFIG["rates"]["low"], CONFIG["rates"]["high"])
        for i in range(1, n + 1):
            trial.suggest_int("u%d" % i, 1, 4)
        for name in list(self.names):
            self.rate(trial, name)
        match kind:
            case "Alpha" | "Beta":
                trial.suggest_int("matched", 1, 2)
            case _:
                trial.suggest_int("other", 1, 2)
        if kind == "gamma":
            return 1.0
        trial.suggest_float("tail", 0, 1)
        return float(n)


objective = Search(2)


def tune(trials):
    study = optuna.create_study(direction="minimize")
    study.optimize(objective, n_trials=trials)


for n in [4]:
    tune(n)
