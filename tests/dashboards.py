"""A study in a store, and requests to its dashboard, for the tests of tests/dashboard."""

import json
from wsgiref.util import setup_testing_defaults

import optuna

from hpo.search.dashboard.annotate import annotate
from hpo.search.dashboard.guard import guard
from hpo.search.dashboard.live import Live
from hpo.search.store import Store
from hpo.search.store.distributions import to_distribution
from hpo.search.terms.domain import Choice, Float
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.study import Goal, Study

SPACE = Space(
    (
        Parameter("learning_rate", Float(1e-4, 1.0, log=True)),
        Parameter("batch_size", Choice((16, 32, 64))),
        Parameter("accumulation_steps", Choice((1, 2))),
    )
)
TEXT = "# Which rate for which batch?\nobjective: mlp\ngoal: minimize val_loss\n"
STUDY = Study("rates", "mlp", (Goal("val_loss", "minimize"),), SPACE, "Which rate for which batch?", text=TEXT)
POINT = {"learning_rate": 0.01, "batch_size": 32, "accumulation_steps": 1}
RUNS = {"trial": 3, "searched": [0.25], "runs": [[0.27], [0.29]], "mean": [0.28], "half": [0.02]}
WINNER = {"recipe": POINT, "candidates": [{"point": POINT, **RUNS}], "test": {"accuracy": 0.97}}


def trial(i: int) -> optuna.trial.FrozenTrial:
    point = SPACE.from_unit([i % 7 / 7, i % 3 / 3, i % 2 / 2])
    curve = {step: 1.0 + i / 10 - step / 10 for step in range(1, 6)}
    state = optuna.trial.TrialState.COMPLETE if i % 4 == 3 else optuna.trial.TrialState.PRUNED
    distributions = {name: to_distribution(SPACE[name].domain) for name in point}
    return optuna.create_trial(
        state=state, value=curve[5], params=point, distributions=distributions, intermediate_values=curve
    )


def fill(store: Store, count: int, *, winner: bool = True) -> None:
    with store.session(STUDY.name, STUDY.directions) as session:
        for i in range(count):
            session.study.add_trial(trial(i))
        if winner:
            session.study.set_user_attr("winner", WINNER)
        annotate(session.study, STUDY)
        session.commit()


def call(app, path, method="GET", *, host="localhost:8080", body=None, **environ):
    """Status, headers with lower-case names, and body of a request answered in this process."""
    path, _, query = path.partition("?")
    data = json.dumps(body).encode() if body is not None else b""
    environ = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method, "HTTP_HOST": host, **environ}
    environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"] = str(len(data)), "application/json"
    setup_testing_defaults(environ)
    environ["wsgi.input"].write(data)
    environ["wsgi.input"].seek(0)
    answer = []
    parts = app(environ, lambda status, headers, *error: answer.append((status, headers)))
    body = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    status, headers = answer[-1]
    return int(status[:3]), {name.lower(): value for name, value in headers}, body


def guarded(store: Store, **options):
    live = Live(store)
    return guard(live, live.complete, **options)


def only_study(app) -> int:
    (study,) = json.loads(call(app, "/api/studies")[2])["study_summaries"]
    return study["study_id"]
