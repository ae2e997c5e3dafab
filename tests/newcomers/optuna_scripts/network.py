"""A torch network whose depth and widths are searched, weak trials pruned; the study begins as the file is run."""

import optuna
import torch
from sklearn.datasets import load_iris
from torch import nn

EPOCHS = 5
x, y = (torch.tensor(part) for part in load_iris(return_X_y=True))
x = x.float()


def define_model(trial: optuna.Trial) -> nn.Module:
    n_layers = trial.suggest_int("n_layers", 1, 3)
    layers, width = [], 4
    for i in range(n_layers):
        units = trial.suggest_int("n_units_l{}".format(i), 4, 16)
        layers += [nn.Linear(width, units), nn.ReLU(), nn.Dropout(trial.suggest_float(f"dropout_l{i}", 0.0, 0.5))]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, 3))


def objective(trial: optuna.Trial) -> float:
    model = define_model(trial)
    name = trial.suggest_categorical("optimizer", ["Adam", "SGD"])
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=trial.suggest_loguniform("lr", 1e-4, 1e-1))
    for epoch in range(EPOCHS):
        model.train()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        accuracy = (model.eval()(x).argmax(1) == y).float().mean().item()
        trial.report(accuracy, epoch)
        if trial.should_prune():
            raise optuna.exceptions.TrialPruned()
    return accuracy


sampler = optuna.samplers.TPESampler(seed=10, multivariate=True, n_startup_trials=4)
pruner = optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1)
study = optuna.create_study(study_name="net", direction="maximize", sampler=sampler, pruner=pruner)
study.optimize(objective, n_trials=8, timeout=600)
print("best:", study.best_value)
