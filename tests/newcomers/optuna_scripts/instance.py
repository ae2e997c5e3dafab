import optuna


class Objective:
    def __init__(self, offset):
        self.offset = offset

    def __call__(self, trial):
        x = trial.suggest_uniform("x", -10, 10)
        n = trial.suggest_int("n", 1, 9, step=2)
        return (x - self.offset) ** 2 + n


objective = Objective(offset=2)

if __name__ == "__main__":
    study = optuna.create_study(sampler=optuna.samplers.GridSampler({"x": [-5, 0, 5], "n": [1, 3]}))
    study.optimize(objective)
