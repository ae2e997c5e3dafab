"""Knobs read from source: what is written counts, what cannot be read is left open."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpo.search.describe.source import Source
from hpo.search.terms import registry
from hpo.search.terms.knobs import REQUIRED, UNKNOWN, Knob, Range, Signature

Read = Callable[..., Signature]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write files (``main`` and others), return the signature of ``train``."""

    def write(main: str, **others: str) -> Signature:
        for name, text in {"main": main, **others}.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        found = Source(tmp_path / "main.py").signature("train")
        assert found is not None
        return found

    return write


def test_keywords_types_and_defaults_are_the_schema(read: Read) -> None:
    found = read("""
        from typing import Literal, Optional
        def train(x: float, *, epochs: int = 20, bn: bool = False, act: Literal["relu", "tanh"] = "relu",
                  clip: Optional[float] = None, width: "int | None" = 64, other=3):
            '''One line.

            Args:
                x: the first of them,
                    in two lines.
                epochs: passes.
            '''
    """)
    assert {name: knob.default for name, knob in found.knobs.items()} == {
        "x": REQUIRED, "epochs": 20, "bn": False, "act": "relu", "clip": None, "width": 64, "other": 3,
    }  # fmt: skip
    assert found.knobs["x"].doc == "the first of them, in two lines."
    assert found.knobs["epochs"].kinds == {"int"}
    assert found.knobs["clip"].kinds == {"float", "none"}
    assert found.knobs["width"].kinds == {"int", "none"}
    assert found.knobs["act"].options == ("relu", "tanh")
    assert found.knobs["other"].kinds == frozenset()
    assert (found.open, found.doc) == (False, "One line.")


def test_further_keywords_leave_it_open(read: Read) -> None:
    assert read("def train(lr: float = 0.1, **rest): ...").open


@pytest.mark.parametrize("annotation", ["Recipe", "'Recipe'", "main_types.Recipe"])
def test_a_dataclass_stands_for_its_fields(read: Read, annotation: str) -> None:
    types = """
        from dataclasses import dataclass, field, KW_ONLY
        from typing import ClassVar
        @dataclass
        class Base:
            seed: int = 0
        @dataclass(frozen=True)
        class Recipe(Base):
            lr: float = 0.1
            '''Learning rate.'''
            _: KW_ONLY
            layers: list = field(default_factory=list)
            depth: int = field(default=2)
            needed: str = field()
            kept: ClassVar[int] = 3
            made: int = field(init=False, default=1)
    """
    found = read(
        f"import main_types\nfrom main_types import Recipe\ndef train(recipe: {annotation}): ...", main_types=types
    )
    assert {name: knob.default for name, knob in found.knobs.items()} == {
        "seed": 0, "lr": 0.1, "layers": UNKNOWN, "depth": 2, "needed": REQUIRED,
    }  # fmt: skip
    assert found.knobs["lr"].doc == "Learning rate."
    assert not found.open


@pytest.mark.parametrize(
    "main",
    [
        "from nowhere import Recipe\ndef train(recipe: Recipe): ...",
        "import nowhere\ndef train(recipe: nowhere.Recipe): ...",
        "from dataclasses import make_dataclass\nRecipe = make_dataclass('Recipe', ['lr'])\ndef train(recipe): ...",
        "import dataclasses as d\nfrom nowhere import B\n@d.dataclass\nclass R(B):\n  a: int = 1\ndef train(r: R): ...",
        "from nowhere import train",
        "from nowhere import *",
        "import functools\ndef fit(a, b): ...\ntrain = functools.partial(fit, a=1)",
        "def wrap(f): return lambda **k: f(**k)\n@wrap\ndef train(a): ...",
        "class train:\n  def __init__(self, a): ...",
        "def __getattr__(name): ...",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_left_open_and_needs_nothing(read: Read, main: str) -> None:
    found = read(main)
    assert found.open
    assert REQUIRED not in [knob.default for knob in found.knobs.values()]


@pytest.mark.parametrize(
    "main",
    [
        "if True:\n  def train(a: int = 1): ...\nelse:\n  def train(): ...",
        "try:\n  from nowhere import x\n  def train(a: int = 1): ...\nexcept ImportError:\n  def train(): ...",
        "from other import fit as train",
        "from other import *",
        "import math\nfrom math import *\nfrom other import train",
    ],
)
def test_a_function_is_found_where_python_would_find_it(read: Read, main: str) -> None:
    other = "def fit(a: int = 1): ...\ntrain = fit\ndef train(a: int = 1): ..."
    assert read(main, other=other).knobs["a"].default == 1


def test_type_aliases_and_ranges_are_followed(read: Read) -> None:
    found = read(
        """
        from typing import Annotated, Literal
        from ranges import SHARE, Range
        Act = Literal["relu", "tanh"]
        Size = int
        def train(*, act: Act = "relu", size: "Size | None" = None, dropout: Annotated[float, SHARE] = 0.0,
                  lr: Annotated[float, Range(0, open_low=True)] = 0.1,
                  temperature: Annotated[float, "kelvin"] = 1.0): ...
        """,
        ranges="import math\nclass Range: ...\nSHARE = Range(0, 1, open_high=True)",
    )
    assert found.knobs["act"].options == ("relu", "tanh")
    assert found.knobs["size"].kinds == {"int", "none"}
    assert found.knobs["dropout"].limits == Range(0, 1, open_high=True)
    assert found.knobs["lr"].limits == Range(0, open_low=True)
    assert found.knobs["temperature"].limits is None
    assert found.knobs["temperature"].kinds == {"float"}


@pytest.mark.parametrize(
    "annotation",
    ["list[int]", "np.ndarray", "'not valid('", "Path", "Callable[[], int]", "int | list[int]", "dict", "Literal[X]"],
)
def test_an_annotation_that_says_nothing_known_takes_anything(read: Read, annotation: str) -> None:
    knob = read(f"def train(*, a: {annotation} = None): ...").knobs["a"]
    assert all(knob.accepts(value) for value in (1, 0.5, "x", None, True, [1], {"a": 1}))


def test_reading_never_warns_of_the_users_code_and_runs_none_of_it(read: Read) -> None:
    found = read("import os\nos._exit(3)\ndef train(a: str = '\\d'): ...")
    assert found.knobs["a"].default == "\\d"


def test_files_that_import_each_other_end(read: Read) -> None:
    found = read("from a import train", a="from b import train", b="from a import train")
    assert found.open


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "main.py"
    path.write_text("def train(a=1): ...")
    assert Source(path).signature("train") is not None
    path.write_text("def train(a=1, b=22): ...")
    found = Source(path).signature("train")
    assert found is not None
    assert set(found.knobs) == {"a", "b"}


@pytest.mark.parametrize(
    ("kinds", "options", "good", "bad"),
    [
        ({"int"}, (), [1, 1e3, -5], [1.5, True, "1", None, [1]]),
        ({"float"}, (), [1, 0.5], [True, "x", None]),
        ({"bool"}, (), [True, False], [0, 1, "true"]),
        ({"str", "none"}, (), ["a", None], [1, False]),
        (set(), ("a", 1), ["a", 1, 1.0], ["b", True, None]),
        ({"int"}, ("auto",), ["auto", 8], ["other", 2.5]),
        (set(), (), [1, "a", None, [1], {"a": 1}], []),
    ],
)  # fmt: skip
def test_a_knob_takes_the_values_of_its_types(
    kinds: set[str], options: tuple[Any, ...], good: list[Any], bad: list[Any]
) -> None:
    knob = Knob("k", kinds=frozenset(kinds), options=options)
    assert all(knob.accepts(value) for value in good)
    assert not any(knob.accepts(value) for value in bad)
    assert all(knob.problem(value).startswith("k takes ") for value in bad)


@pytest.mark.parametrize(
    ("limits", "words", "value"),
    [
        (Range(0, open_low=True), "above 0", 0), (Range(1), "at least 1", 0.5), (Range(high=3), "at most 3", 4),
        (Range(0, 1), "from 0 to 1", -1), (Range(0, 1, open_high=True), "at least 0 and below 1", 1),
    ],
)  # fmt: skip
def test_limits_are_said_in_words(limits: Range, words: str, value: float) -> None:
    assert Knob("k", kinds=frozenset({"float"}), limits=limits).problem(value) == f"k must be {words}, got {value}"


@pytest.mark.parametrize("kind", ["sampler", "pruner", "executor", "policy", "objective"])
def test_every_plugin_can_be_read(kind: str) -> None:
    for name in registry.names(kind):
        source = Source(registry.path(kind, name))
        assert source.doc.endswith("."), name
        if kind != "objective":
            found = source.signature("make", skip_first=True)
            assert found is not None, name
            assert not found.open, name
            mappings = {"resources"}  # of Ray, which checks them
            told = [knob for option, knob in found.knobs.items() if option not in mappings]
            assert all(knob.kinds or knob.options for knob in told), name


def test_the_training_recipe_has_a_type_and_a_text_for_every_knob() -> None:
    found = Source(registry.part_file("trainer", "training_recipe.py")).fields("TrainingRecipe")
    assert found is not None
    assert found.knobs["learning_rate"].limits == Range(0, open_low=True)
    assert all(knob.doc and (knob.kinds or knob.options) for knob in found.knobs.values())
