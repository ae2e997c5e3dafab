"""The `hpo` command from end to end: what a user types, reads and gets back."""

import json
import re
from pathlib import Path

import pytest
from forked import Forked

from hpo.search.cli import commands, main
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry

OBJECTIVE = '''
"""A bowl with noise that its seed decides."""
import random

class Model:
    def __init__(self, x):
        self.x = x
    def test(self):
        return {"accuracy": 0.5}
    def save(self, folder):
        (folder / "weights.txt").write_text(str(self.x))
        return [folder / "weights.txt"]

def train(*, x: float = 0.0, kind: str = "a", epochs: int = 5, seed: int = 0):
    rng = random.Random(seed)
    for epoch in range(epochs):
        yield {"val_loss": (x - 0.3) ** 2 + (kind == "b") + 1 / (epoch + 1) + rng.gauss(0, 0.001)}
    return Model(x)
'''
STUDY = """
# How deep is the bowl?
objective: ./bowl.py
goal: minimize val_loss
search:
  x: {float: [0, 1]}
  kind: {choice: [a, b]}
fixed: {epochs: 4}
budget: {trials: 12}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    Path("bowl.py").write_text(OBJECTIVE)
    Path("bowl.yaml").write_text(STUDY.lstrip())
    return tmp_path


def test_a_study_runs_resumes_exports_trains_and_is_deleted(place, capsys):
    assert main(["run", "--study", "bowl.yaml"]) == 0
    printed = capsys.readouterr().out
    assert "winner" in printed
    assert "test split, measured once: accuracy 0.5" in printed
    assert "hpo dashboard" in printed

    assert main(["run", "--study", "bowl.yaml"]) == 0
    assert "trial 12" not in capsys.readouterr().out, "the budget is a total: nothing is left to do"

    assert main(["run", "--study", "bowl.yaml", "--trials", "14", "--quiet"]) == 0
    assert "14 trials" in capsys.readouterr().out

    assert main(["export", "--study", "bowl", "--output", "best.yaml"]) == 0
    exported = parse(Path("best.yaml").read_text()).plain()
    assert set(exported["recipe"]) == {"x", "kind", "epochs", "seed"}
    assert exported["about"]["values"]["val_loss"]["fresh_runs"] == 2
    capsys.readouterr()
    assert main(["train", "best.yaml"]) == 0
    assert "equals the recorded one exactly" in capsys.readouterr().out
    assert float(Path("bowl-model/weights.txt").read_text()) == exported["recipe"]["x"]
    assert json.loads(Path("bowl-model/metrics.json").read_text())["test"] == {"accuracy": 0.5}

    assert main(["replay", "bowl", "3"]) == 0
    assert "equals the recorded one" in capsys.readouterr().out
    assert main(["delete", "bowl", "--yes"]) == 0
    assert main(["status"]) == 2


def test_json_lines_are_json_even_when_the_objective_prints(place):
    Path("bowl.py").write_text(OBJECTIVE.replace("rng = ", "print('hello')\n    rng = "))
    process = Forked(["run", "--study", "bowl.yaml", "--json", "--trials", "3"], place)
    said, errors = process.communicate()
    assert process.returncode == 0, errors
    events = [json.loads(line) for line in said.splitlines()]
    assert [event["event"] for event in events].count("end") == 3 + 6
    assert events[-1]["event"] == "result"
    assert events[-1]["winner"]["test"] == {"accuracy": 0.5}


def test_show_tells_why_trials_ended_and_one_trial_in_full(place, capsys):
    main(["run", "--study", "bowl.yaml", "--quiet"])
    capsys.readouterr()
    assert main(["show", "bowl"]) == 0
    printed = capsys.readouterr().out
    assert "pruned:" in printed
    assert (
        "sampler {tpe: {unpruned: 0.2}}, "
        "pruner {by-points: {curves: {hedged: {of: {successive-halving: {min_resource: 2, reduction_factor: 2}}}}, "
        "folds: wilcoxon}}, seed 0" in printed
    )
    assert main(["show", "bowl", "--trial", "0"]) == 0
    assert "curve of val_loss" in capsys.readouterr().out
    assert main(["show", "bowl", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["trials"]) == 12


def test_a_table_has_one_row_a_trial(place, capsys):
    import hpo

    main(["run", "--study", "bowl.yaml", "--quiet"])
    assert main(["export", "bowl", "--output", "trials.csv"]) == 0
    frame = hpo.trials("bowl")
    assert len(frame) == 12
    assert {"state", "val_loss", "params_x", "params_kind", "steps", "seed"} <= set(frame.columns)
    assert len(Path("trials.csv").read_text().splitlines()) == 13


def test_compare_gives_every_variant_the_same_steps(place, capsys):
    words = [
        "compare",
        "bowl.yaml",
        "--with-sampler",
        "random",
        "--with-sampler",
        "tpe",
        "--seeds",
        "2",
        "--trials",
        "5",
    ]
    assert main([*words, "--output", "out.json"]) == 0
    assert "random + default pruner" in capsys.readouterr().out
    variants = json.loads(Path("out.json").read_text())["variants"]
    assert {len(curve) for variant in variants for curve in variant["curves"]} == {20}


def test_the_model_that_is_saved_is_the_one_whose_score_is_reported(place, capsys):
    fixed = "{estimator: HistGradientBoostingRegressor, max_iter: 40, epochs: 8, learning_rate: 0.5}"
    Path("greedy.yaml").write_text(
        "objective: sklearn\ndata: diabetes\ngoal: minimize val_rmse\nsearch: {max_leaf_nodes: {choice: [8, 16]}}\n"
        f"fixed: {fixed}\nbudget: {{trials: 2}}\nsampler: grid\npruner: none\n"
    )
    assert main(["run", "--study", "greedy.yaml", "--quiet"]) == 0
    assert main(["export", "greedy", "--output", "greedy-best.yaml"]) == 0
    about = parse(Path("greedy-best.yaml").read_text()).plain()["about"]
    capsys.readouterr()
    assert main(["train", "greedy-best.yaml", "--output", "model"]) == 0
    assert "keeping the model as it was at step " in capsys.readouterr().out
    written = json.loads(Path("model/metrics.json").read_text())
    values = [value for _, value in written["curve"]]
    assert written["validation"]["val_rmse"] == min(values) < values[-1]
    assert {name: written["test"][name] for name in about["test"]} == about["test"]


def test_nothing_is_overwritten_without_being_asked(place, capsys):
    main(["run", "--study", "bowl.yaml", "--quiet"])
    assert main(["export", "bowl", "--output", "best.yaml"]) == 0
    assert main(["export", "bowl", "--output", "best.yaml"]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["train", "best.yaml", "--output", "model"]) == 0
    assert main(["train", "best.yaml", "--output", "model"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu"], "did you mean 'run'?"),
        (["run"], "which study?"),
        (["run", "--study", "lr-bach"], "did you mean 'lr-batch'?"),
        (["run", "--study", "missing.yaml"], "there is no study file missing.yaml"),
        (["run", "--study", "bowl.yaml", "--trials", "many"], "trials must be"),
        (["run", "--study", "bowl.yaml", "--sampler", "tpee"], "did you mean 'tpe'?"),
        (["run", "--study", "bowl.yaml", "--set", "y=1"], "no knob 'y'"),
        (["run", "--study", "bowl.yaml", "--storage", "nowhere/x.db"], "nowhere"),
        (["show", "bowl"], "no study"),
        (["export", "bowl"], "no study"),
        (["train", "missing.yaml"], "there is no file missing.yaml"),
        (["train", "bowl.yaml"], "not an exported recipe"),
        (["replay", "bowl", "3"], "no study"),
        (["compare", "bowl.yaml"], "name what to compare"),
        (["list", "sampler"], "did you mean 'samplers'?"),
        (["dashboard", "--storage", "x.txt"], "x.txt"),
    ],
)
def test_a_mistake_gets_one_message_and_exit_code_2(place, capsys, words, said):
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed
    assert not Path("hpo.db").exists()


def test_a_study_in_which_everything_fails_stops_early_with_exit_code_3(place, capsys):
    Path("bowl.py").write_text(
        "def train(*, x: float = 0.0, kind: str = 'a', epochs: int = 1):\n    raise ValueError('no luck')\n"
    )
    assert main(["run", "--study", "bowl.yaml"]) == 3
    printed = capsys.readouterr()
    assert "ValueError: no luck" in printed.err
    assert "hpo replay bowl" in printed.err
    assert printed.out.count("failed") == 5
    assert main(["replay", "bowl", "0"]) == 3
    assert "bowl.py" in capsys.readouterr().err, "the traceback shows the line in the user's file"


def test_a_bug_keeps_its_traceback(place, monkeypatch):
    monkeypatch.setattr("hpo.search.studyfile.read", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["check", "bowl.yaml"])


def test_where_no_trial_comes_to_its_end_the_result_says_so_and_what_to_do(place, capsys):
    stops_all = ["--pruner", "{successive-halving: {bootstrap_count: 20}}"]
    assert main(["run", "--study", "bowl.yaml", "--quiet", *stops_all]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "no trial came to its end within the budget" in printed
    assert "raise it and run the same command again" in printed
    assert main(["run", "--study", "bowl.yaml", "--trials", "13", "--pruner", "none", "--quiet"]) == 0
    assert "came to its end" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (["--pruner", "{threshold: {}}"], "the pruner threshold needs a limit"),
        (["--pruner", "{hedged: {share: 0.5, of: {threshold: {lower: 2, upper: 1}}}}"], "lower is at most upper"),
        (["--sampler", "{tpe: {unpruned: 2}}"], "unpruned"),
        (["--sampler", "{qmc: {qmc_type: nonsense}}"], "nonsense"),
    ],
)
def test_check_refuses_the_options_that_run_refuses_and_neither_writes(place, capsys, what, told):
    for command in (["check", "bowl.yaml"], ["run", "--study", "bowl.yaml"]):
        assert main([*command, *what]) == 2
        assert told in capsys.readouterr().err
    assert not Path("hpo.db").exists()


def test_check_asks_about_a_range_over_decades_that_is_on_an_even_scale(capsys):
    assert main(["check", "lr-batch", "--set", "weight_decay={float: [1e-5, 0.1]}"]) == 0
    shown = capsys.readouterr().out
    assert "weight_decay: 1e-05 to 0.1, on an even scale: one draw of ten is below 0.01 (log: true?)\n" in shown


def test_check_tells_the_ends_of_a_narrow_range_apart(place, capsys):
    narrow = "{float: [1700000000, 1700000001], step: 0.0009765625}"
    Path("narrow.yaml").write_text(STUDY.lstrip().replace("{float: [0, 1]}", narrow))
    assert main(["check", "narrow.yaml"]) == 0
    assert "x: 1700000000.0 to 1700000001.0, step 0.000976562" in capsys.readouterr().out


def test_every_command_has_help(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for name in commands():
        assert name in printed
        assert registry.summary("command", name).endswith(".")
        with pytest.raises(SystemExit) as end:
            main([name, "--help"])
        assert end.value.code == 0


def test_advice_about_a_training_is_a_line_told_once(place, capsys):
    study = STUDY.replace("./bowl.py", "mlp").replace("x: {float: [0, 1]}", "learning_rate: {float: [1e-3, 1e-2]}")
    study = study.replace("  kind: {choice: [a, b]}\n", "").replace("epochs: 4", "epochs: 1, batch_size: auto")
    study = study.replace("fixed: {", "fixed: {effective_batch: 64, ")
    Path("auto.yaml").write_text(study.lstrip())
    assert main(["run", "auto.yaml", "--trials", "1", "--confirm", "none"]) == 0
    told = capsys.readouterr()
    assert (told.out + told.err).count("what fitted memory_limit") == 1
    assert main(["export", "auto", "--output", "best.yaml"]) == 0
    assert main(["train", "best.yaml"]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "memory_limit" in line]
    assert len(said) == 1
    assert said[0].startswith("batch_size: auto")


FLAKY = """
def train(*, x: float = 0.0, kind: str = "a", epochs: int = 1, seed: int = 0):
    if seed % 3 == 0:
        raise ValueError("no luck")
    yield {"val_loss": (x - 0.3) ** 2}
"""


def test_counters_never_exceed_what_they_count_to(place, capsys):
    Path("bowl.py").write_text(FLAKY)
    for trials, top in (("9", 3), ("21", 3), ("30", 4)):
        assert main(["run", "bowl.yaml", "--trials", trials, "--confirm", f"{{top: {top}, seeds: 3}}"]) == 0
        printed = capsys.readouterr().out
        counted = re.findall(r"^(trial|fresh run) \d+ \[(\d+)/(\d+)\]: (\w+)", printed, re.MULTILINE)
        for kind in ("trial", "fresh run"):
            shown = [(int(done), int(total)) for word, done, total, _ in counted if word == kind]
            assert shown == sorted(shown)
            assert all(0 <= done <= total for done, total in shown)
            assert kind == "fresh run" or shown[-1][0] == shown[-1][1]


@pytest.mark.parametrize("words", [["bowl", "2"], ["--study", "bowl", "2"], ["bowl", "--trial", "2"]])
@pytest.mark.parametrize("command", ["show", "replay"])
def test_every_command_that_takes_a_trial_takes_it_as_a_word_or_an_option(place, capsys, command, words):
    main(["run", "bowl.yaml", "--quiet"])
    capsys.readouterr()
    assert main([command, *words]) == 0
    assert capsys.readouterr().out.startswith("trial 2 of bowl")


@pytest.mark.parametrize(
    ("words", "said"),
    [(["bowl"], "which trial?"), (["bowl", "x"], "got 'x'"), (["bowl", "2", "3"], "one trial at a time"),
     (["bowl", "2", "--trial", "3"], "one trial at a time"), (["bowl", "99"], "has no trial 99"), ([], "which study?"),
     (["bowl", "-1"], "has no trial -1")],
)  # fmt: skip
def test_a_trial_that_is_none_is_told_in_a_line(place, capsys, words, said):
    main(["run", "bowl.yaml", "--quiet"])
    capsys.readouterr()
    assert main(["replay", *words]) == 2
    assert said in capsys.readouterr().err


def test_compare_trains_few_trials_few_at_a_time_so_that_searches_differ(place, capsys):
    Path("small.yaml").write_text(
        "objective: mlp\ndata: iris\ngoal: minimize val_loss\nsearch: {learning_rate: {float: [1e-4, 1], log: true}}\n"
        "fixed: {epochs: 4}\nbudget: {trials: 8}\n"
    )
    words = ["compare", "small.yaml", "--with-pruner", "none", "--with-pruner", "successive-halving", "--seeds", "1"]
    assert main([*words, "--output", "out.json"]) == 0
    assert "lanes: 2 of 16: 32 steps are 8 complete trials" in capsys.readouterr().out
    one, two = json.loads(Path("out.json").read_text())["variants"]
    assert one["curves"] != two["curves"]
    assert one["trials"] != two["trials"], "pruning pays for further trials"


def test_compare_asks_for_steps_where_nothing_says_how_many_points_a_trial_has(place, capsys):
    Path("rounds.py").write_text(
        "def train(*, x: float = 0.0, rounds: int = 4):\n"
        "    for i in range(rounds):\n        yield {'loss': x + 1 / (i + 1)}\n"
    )
    Path("rounds.yaml").write_text(
        "objective: ./rounds.py\ngoal: minimize loss\nsearch: {x: {float: [0, 1]}}\nbudget: {trials: 6}\n"
    )
    words = ["compare", "rounds.yaml", "--with-sampler", "tpe", "--with-sampler", "random", "--seeds", "1"]
    assert main(words) == 2
    assert "6 trials of 4 points are --steps 24" in capsys.readouterr().err
    assert main([*words, "--steps", "24"]) == 0


@pytest.mark.parametrize("own", ["hpo.db", "own.db"])
def test_compare_finds_the_studies_of_warm_start_in_the_studys_own_store(place, capsys, own):
    assert main(["run", "bowl.yaml", "--quiet", "--storage", own]) == 0
    storage = "" if own == "hpo.db" else f"storage: {own}\n"
    Path("again.yaml").write_text(STUDY.lstrip() + f"warm_start: bowl\n{storage}")
    words = ["compare", "again.yaml", "--with-sampler", "tpe", "--with-sampler", "random", "--seeds", "1"]
    assert main([*words, "--trials", "3"]) == 0
    assert "at the end" in capsys.readouterr().out
    assert Path("compare.db").exists()
