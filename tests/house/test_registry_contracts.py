"""Every file of a folder of plug-ins has the form of its kind: what it says of itself, and what it is entered by."""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

import pytest

from hpo.search.cli import main
from hpo.search.describe.objective import describe
from hpo.search.studyfile.plugins import options_of
from hpo.search.studyfile.reader import read
from hpo.search.terms import registry

PARTS = {
    "sampler": ("What it does:", "When to use it:", "Options:", "Cost:", "Reference:"),
    "pruner": ("What it does:", "When to use it:", "Options:", "Cost:", "Reference:"),
    "policy": ("What it does:", "When to use it:", "Options:", "Cost:", "Reference:"),
    "executor": ("What it does:", "When to use it:", "Options:", "Cost:"),
}
"""Parts of a plug-in's docstring after its first line, in order."""

SUMMARY = 120
"""Most letters of a first line, so that `hpo list` shows it whole on a wide terminal."""

PLUGINS = [(kind, name) for kind in PARTS for name in registry.names(kind)]
OTHERS = ("command", "objective", "data", "format", "draft")
CODE = [*PLUGINS, *((kind, name) for kind in OTHERS for name in registry.names(kind))]
EVERYTHING = [*CODE, *(("study", name) for name in registry.names("study"))]


def tree(kind: str, name: str) -> ast.Module:
    return ast.parse(registry.path(kind, name).read_text(encoding="utf-8"))


def function(kind: str, name: str, called: str) -> ast.FunctionDef:
    found = [node for node in tree(kind, name).body if isinstance(node, ast.FunctionDef) and node.name == called]
    assert found, f"{registry.path(kind, name)} defines no {called}"
    return found[-1]


def parts(kind: str, name: str) -> dict[str, str]:
    """Text of each part of a docstring after its first line; what stands before them is under the empty word."""
    _, _, text = (ast.get_docstring(tree(kind, name)) or "").partition("\n")
    split = re.split(r"^([A-Z][A-Za-z ]{2,20}:)(?= )", text, flags=re.MULTILINE)
    return {"": split[0].strip(), **dict(zip(split[1::2], map(str.strip, split[2::2]), strict=True))}


@pytest.mark.parametrize(("kind", "name"), EVERYTHING)
def test_its_first_line_is_one_short_sentence(kind: str, name: str) -> None:
    summary = registry.summary(kind, name)
    assert 10 <= len(summary) <= SUMMARY
    assert summary.endswith((".", "?")), "a sentence"
    if kind != "study":
        lines = (ast.get_docstring(tree(kind, name)) or "").splitlines()
        assert len(lines) == 1 or lines[1] == "", "an empty line follows it"


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_its_docstring_has_the_parts_of_its_kind_in_order_and_none_is_empty(kind: str, name: str) -> None:
    found = parts(kind, name)
    assert found.pop("") == ""
    assert tuple(found) == PARTS[kind]
    assert all(found.values()), found


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_it_is_made_by_make_from_a_context_and_typed_options_that_it_documents(kind: str, name: str) -> None:
    make = function(kind, name, "make")
    assert make.returns is not None
    assert ast.get_docstring(make)
    arguments = make.args
    assert len([*arguments.posonlyargs, *arguments.args]) == 1, "the context, and options by keyword"
    assert arguments.vararg is arguments.kwarg is None
    options = [argument.arg for argument in arguments.kwonlyargs]
    assert all(argument.annotation is not None for argument in arguments.kwonlyargs)
    assert list(options_of(kind, name, nested=True).knobs) == options, "a study file can name every option"
    documented = parts(kind, name)["Options:"]
    for option in options:
        assert f"``{option}``" in documented, f"Options: says nothing of {option}"
    assert options or documented == "none."


def default(make: ast.FunctionDef, option: str) -> str:
    """Default of an option as a docstring writes it: ``none`` for None, nothing where there is none."""
    index = [argument.arg for argument in make.args.kwonlyargs].index(option)
    found = make.args.kw_defaults[index]
    if found is None:
        return ""
    value = ast.literal_eval(found)
    return "none" if value is None else f"``{value}``" if isinstance(value, str) else repr(value).lower()


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_each_option_has_the_default_that_the_docstring_says(kind: str, name: str) -> None:
    make, said = function(kind, name, "make"), parts(kind, name)["Options:"]
    for option in (argument.arg for argument in make.args.kwonlyargs):
        found = re.search(rf"``{option}``(?: = (``[^`]+``|the study's|[^\s,;(]+?)(?=[\s,;(]|\.(?:\s|$)|$))?", said)
        assert found, option
        if kind == "executor" and option == "workers":  # which the engine gives it
            assert found[1] == "the study's"
        else:
            assert (found[1] or "") == default(make, option), f"{option} of {kind} {name}"


@pytest.mark.parametrize("name", registry.names("command"))
def test_a_command_has_options_a_code_and_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure, run = function("command", name, "configure"), function("command", name, "main")
    assert [len(configure.args.args), len(run.args.args)] == [1, 1]
    assert ast.unparse(run.returns or ast.Constant(None)) == "int"
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr()
    assert f"usage: hpo {name}" in shown.out
    assert registry.summary("command", name) in shown.out
    assert shown.err == ""
    parser = argparse.ArgumentParser()
    registry.load("command", name).configure(parser)
    for action in parser._actions:
        assert action.help, f"hpo {name} --help says nothing of {action.option_strings or action.dest}"


@pytest.mark.parametrize("name", registry.names("objective"))
def test_an_objective_trains_or_leaves_training_to_the_suite_and_its_knobs_are_typed(name: str) -> None:
    defined = {node.name for node in tree("objective", name).body if isinstance(node, ast.FunctionDef)}
    assert ("train" in defined) != ({"build", "data"} <= defined)
    for called in defined & {"train", "build", "data"}:
        made = function("objective", name, called)
        assert ast.get_docstring(made)
        assert made.returns is not None
        assert all(argument.annotation for argument in [*made.args.args, *made.args.kwonlyargs])


@pytest.mark.parametrize("name", registry.names("data"))
def test_a_kind_of_data_checks_digests_and_reads_the_options_that_it_documents(name: str) -> None:
    for called, arguments in (("check", ["options", "base"]), ("digest", ["options"]), ("read", ["options"])):
        made = function("data", name, called)
        assert [argument.arg for argument in made.args.args] == arguments
        assert ast.get_docstring(made)
        assert made.returns is not None
    kind = registry.load("data", name)
    for option in kind.OPTIONS:
        assert f"``{option}``" in parts("data", name)["Options:"], f"Options: says nothing of {option}"
    (mistake,) = kind.check({**dict.fromkeys(kind.OPTIONS), "no-such": 1}, Path())[:1]
    assert mistake.startswith(f"data {name} has no option 'no-such'")


@pytest.mark.parametrize("name", registry.names("study"))
def test_a_study_asks_a_question_under_the_name_of_its_file_and_searches_knobs_of_its_objective(name: str) -> None:
    study = read(name)
    assert study.question == registry.summary("study", name)
    assert study.name == name
    signature = describe(study.objective, study.folder).signature
    assert signature.open or {parameter.name for parameter in study.space} <= set(signature.knobs)
