import optuna


def objective(trial):
    x = trial.suggest_float("x", 0, 5)
    y = trial.suggest_float("y", 0, 3, step=0.5)
    trial.set_user_attr("sum", x + y)
    return 4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2


if __name__ == "__main__":
    study = optuna.create_study(directions=["minimize", "minimize"], storage="sqlite:///two.db")
    study.optimize(objective, n_trials=10, n_jobs=1)
