"""Ranges that only running tells: the number of features bounds how many are kept."""

import optuna
from sklearn.datasets import load_iris

x, y = load_iris(return_X_y=True)


def objective(trial):
    kept = trial.suggest_int("kept", 1, x.shape[1])
    shift = trial.suggest_float("shift", -1.0, 1.0)
    return float(abs(x[:, :kept].mean() + shift))


def main():
    study = optuna.create_study()
    study.enqueue_trial({"shift": 0.25})
    study.optimize(objective, n_trials=6)


if __name__ == "__main__":
    main()
