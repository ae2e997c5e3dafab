import json
import re
import subprocess
import sys

import optuna
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.search.dashboard.annotate import annotate
from hpo.search.dashboard.attributes import save_note, save_plot
from hpo.search.dashboard.note import Summary, markdown
from hpo.search.terms.space import Space
from hpo.search.terms.study import Goal, Study
from hpo.search.terms.winner import Candidate, Winner


@given(st.lists(st.text(max_size=9000), max_size=4))
@settings(max_examples=40, deadline=None)
def test_a_note_is_stored_as_the_dashboard_itself_stores_it(texts):
    from optuna_dashboard import get_note
    from optuna_dashboard import save_note as upstream

    ours, theirs = optuna.create_study(), optuna.create_study()
    for text in texts:
        if get_note(ours) != text:
            upstream(theirs, text)
        save_note(ours, text)
        assert get_note(ours) == text
    attrs = dict(ours._storage.get_study_system_attrs(ours._study_id))
    attrs.pop("hpo:note", None)
    assert attrs == theirs._storage.get_study_system_attrs(theirs._study_id)


def test_a_note_edited_by_a_person_is_left_alone_until_it_is_emptied():
    from optuna_dashboard import get_note
    from optuna_dashboard import save_note as by_hand

    study = optuna.create_study()
    save_note(study, "ours")
    by_hand(study, "mine")
    save_note(study, "ours again")
    assert get_note(study) == "mine"
    by_hand(study, "")
    save_note(study, "ours again")
    assert get_note(study) == "ours again"


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None)
def test_a_plot_is_stored_as_the_dashboard_itself_reads_it(lengths):
    from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

    study = optuna.create_study()
    for length in lengths:
        save_plot(study, "plot", {"data": ["x" * length]})
        stored = get_plotly_graph_objects(study._storage.get_study_system_attrs(study._study_id))
        assert json.loads(stored["plot"]) == {"data": ["x" * length]}


def test_a_note_of_several_goals_names_each_value():
    candidate = Candidate(1, {}, (0.5, 7.0), (), (0.5, 7.0), None)
    verdict = Winner({}, (candidate,) * 12, None, measured=True)
    goals = ["minimize loss", "minimize size"]
    note = markdown(Summary("pareto", "", goals, ["loss", "size"], {"complete": 12}, 30, None, verdict, ""))
    assert "| 1 | loss 0.5, size 7 |" in note
    assert "Pareto front" in note
    assert "winner" not in note
    assert "and 2 more." in note


@given(st.text(max_size=60), st.text(max_size=60), st.text(alphabet="`a\n", max_size=40))
def test_no_text_of_a_user_ends_the_code_block_of_the_study_file_early(name, question, text):
    note = markdown(Summary(name, question, ["minimize loss"], ["loss"], file=text + "."))
    (block,) = re.findall(r"^(`{3,})yaml\n(.*)\n\1\n\Z", note, re.S | re.M)
    assert block[1] == text + "."
    assert "<" not in note.replace("\\<", "").split("```")[0]


def test_before_a_winner_is_known_the_note_has_the_study_file_and_no_counts_that_would_grow_stale():
    from optuna_dashboard import get_note

    stored = optuna.create_study()
    study = Study("rates", "mlp", (Goal("loss", "minimize"),), Space(()), text="objective: mlp\n")
    annotate(stored, study)
    note = get_note(stored)
    stored.add_trial(optuna.create_trial(value=1.0))
    annotate(stored, study)
    assert get_note(stored) == note
    assert "No winner has been chosen yet." in note
    assert "objective: mlp" in note


def test_annotating_imports_neither_the_dashboard_nor_plotly():
    code = """
import sys, optuna
from hpo.search.dashboard.annotate import annotate
from hpo.search.terms.study import Study, Goal
from hpo.search.terms.space import Space
annotate(optuna.create_study(), Study("s", "mlp", (Goal("loss", "minimize"),), Space(())))
assert not {"optuna_dashboard", "plotly", "bottle"} & set(sys.modules), sys.modules.keys()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
