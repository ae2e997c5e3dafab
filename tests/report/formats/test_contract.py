"""Every file of the folder of formats: it says what it takes and writes, drops no knob, and parses as what it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from exporting import CAUSAL, RECIPES, TEXT, TRAINED, TRAINING, network, run, text, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo.search.describe.objective import describe
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError

FORMATS = registry.names("format")


def parsed(tool: str, content: str) -> dict[str, Any]:
    """Keys of a file in its own syntax; a key that stands twice is a mistake."""
    if registry.load("format", tool).SUFFIX == ".py":
        tree = ast.parse(content)
        pairs = [
            (target.id, ast.literal_eval(node.value))
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name)
        ]
        names = [name for name, _ in pairs]
    else:
        names = re.findall(r"^(\w+):", content, re.MULTILINE)
        pairs = list(yaml.safe_load(content).items())
    assert len(names) == len(set(names)) == len(pairs)
    return dict(pairs)


def refused(tool: str, made: Any) -> bool:
    try:
        written(tool, made)
    except UserError as error:
        return "--samples" in str(error)
    return False


def named(knob: str, content: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(knob)}(?![\w-])", content) is not None


@pytest.mark.parametrize("tool", FORMATS)
def test_it_says_what_it_writes_what_it_takes_and_against_what_it_was_checked(tool: str) -> None:
    module = registry.load("format", tool)
    assert module.SUFFIX in (".yaml", ".py")
    assert set(module.TAKES) <= {"causal", "masked", ""}
    assert re.search(r"\d", module.CHECKED)
    assert len(set(module.KEYS)) == len(module.KEYS)
    summary = registry.summary("format", tool)
    assert summary.endswith(".")
    assert len(summary) <= 120


@pytest.mark.parametrize("tool", CAUSAL)
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(recipe=RECIPES, devices=st.integers(1, 16), samples=st.none() | st.integers(1, 10**5))
def test_no_knob_of_a_language_model_is_dropped_and_only_known_keys_are_written(
    tool: str, recipe: dict[str, Any], devices: int, samples: int | None
) -> None:
    made = run(text(), devices=devices, samples=samples, **recipe)
    if made.steps is None and refused(tool, made):
        return
    content = written(tool, made)
    assert not [knob for knob in made.knobs if not named(knob, content)]
    found = parsed(tool, content)
    assert set(found) <= set(registry.load("format", tool).KEYS)
    cut = made.share
    if cut.difference:
        assert f"{abs(cut.difference)} {'more' if cut.difference > 0 else 'less'}" in content


@pytest.mark.parametrize("tool", [name for name in FORMATS if "" in registry.load("format", name).TAKES])
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(recipe=TRAINING, devices=st.integers(1, 16))
def test_no_knob_of_any_other_network_is_dropped(tool: str, recipe: dict[str, Any], devices: int) -> None:
    made = run(network(), devices=devices, **recipe)
    if made.steps is None and refused(tool, made):
        return
    content = written(tool, made)
    assert not [knob for knob in made.knobs if not named(knob, content)]
    assert set(parsed(tool, content)) <= set(registry.load("format", tool).KEYS)


@pytest.mark.parametrize("tool", FORMATS)
def test_every_key_that_it_lists_is_written_for_some_recipe(tool: str) -> None:
    module, found = registry.load("format", tool), set[str]()
    language = {"positions": "rotary", "normalization": "rms", "activation": "swiglu"}
    for extra in (
        {}, {"schedule": "polynomial", "warmup": 0.1}, {"optimizer": "sgd"}, {"pack": "documents"}, {"pack": "pad"},
        {"max_steps": 0, "schedule": "linear"}, {"patience": 2, "label_smoothing": 0.1}, language,
        {"checkpoint_activations": True}, {"max_steps": 0, "schedule": "constant"},
    ):  # fmt: skip
        made = run(**extra)
        if made.steps is not None or not refused(tool, made):
            found |= set(parsed(tool, written(tool, made)))
    assert found == set(module.KEYS)


@pytest.mark.parametrize("tool", FORMATS)
def test_the_texts_of_a_study_stay_within_comments(tool: str) -> None:
    from dataclasses import replace

    wild = "a\nlearning_rate: 9\x85b\u2028c: d\x00\r# '\"\"\"'''\\"
    made = replace(run(), title=f"{wild}: trial 1", label=wild, unset=(wild,))
    plain = parsed(tool, written(tool, run()))
    assert parsed(tool, written(tool, made)) == plain


@pytest.mark.parametrize("tool", FORMATS)
def test_the_same_recipe_gives_the_same_file(tool: str) -> None:
    assert written(tool, run(devices=4)) == written(tool, run(devices=4))


def test_estimators_without_optimizer_steps_are_refused_with_the_way_out() -> None:
    with pytest.raises(UserError, match=r"without optimizer steps.* hpo train"):
        run(describe("sklearn", Path()), max_iter=10)


def test_the_knobs_of_the_suites_training_are_all_known_to_these_tests() -> None:
    assert set(run().knobs) >= TRAINED | set(TEXT)


@pytest.mark.parametrize(("tokenizer", "size"), [("bytes", 258), ("char", "SIZE"), ("bpe", 1024)])
def test_the_vocabulary_is_that_of_the_recipes_tokenizer(tokenizer: str, size: int | str) -> None:
    made = run(tokenizer=tokenizer, vocabulary=1024, positions="rotary", normalization="rms", activation="swiglu")
    content = written("torchtune", made)
    assert parsed("torchtune", content)["model"]["vocab_size"] == size
    assert ("vocabulary: 1024" in content) == (tokenizer == "bpe")
    assert (f"vocab_size={size}" in written("transformers", made)) == isinstance(size, int)


@pytest.mark.parametrize(("floor", "said"), [(0.1, "climbs from the floor"), (0.0, "begins at 0")])
def test_one_thing_is_said_of_a_warm_up_before_a_plateau(floor: float, said: str) -> None:
    content = written("transformers", run(schedule="wsd", cooldown=0.5, warmup=0.1, floor=floor)).replace("\n#  ", "")
    assert said in content
    assert sum(content.count(words) for words in ("climbs from the floor", "begins at 0", "begins at the floor")) == 1
