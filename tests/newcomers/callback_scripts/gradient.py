import optuna
import sklearn.datasets
import xgboost as xgb
from optuna_integration import XGBoostPruningCallback
from sklearn.model_selection import train_test_split


class Objective:
    def __init__(self, dtrain, dvalid):
        self.dtrain = dtrain
        self.dvalid = dvalid

    def __call__(self, trial):
        param = {
            "objective": "binary:logistic",
            "eval_metric": "logloss",
            "nthread": 1,
            "booster": trial.suggest_categorical("booster", ["gbtree", "dart"]),
            "max_depth": trial.suggest_int("max_depth", 1, 6),
            "eta": trial.suggest_float("eta", 1e-2, 1.0, log=True),
        }
        if param["booster"] == "dart":
            param["rate_drop"] = trial.suggest_float("rate_drop", 1e-8, 1.0, log=True)
        results = {}
        xgb.train(
            param,
            self.dtrain,
            num_boost_round=6,
            evals=[(self.dvalid, "validation")],
            evals_result=results,
            verbose_eval=False,
            callbacks=[XGBoostPruningCallback(trial, "validation-logloss")],
        )
        return results["validation"]["logloss"][-1]


def main():
    data, target = sklearn.datasets.load_breast_cancer(return_X_y=True)
    train_x, valid_x, train_y, valid_y = train_test_split(data, target, test_size=0.25, random_state=0)
    objective = Objective(xgb.DMatrix(train_x, label=train_y), xgb.DMatrix(valid_x, label=valid_y))
    study = optuna.create_study(direction="minimize")
    study.optimize(objective, n_trials=3)
    print(study.best_trial.params)


if __name__ == "__main__":
    main()
