"""References to what is trained: found without importing, refused with the likely meaning."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hpo.search.describe.live import live
from hpo.search.describe.objective import COMMAND, describe, import_module
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError


def write(folder: Path, text: str, name: str = "my.py") -> Path:
    (folder / name).write_text(text)
    return folder / name


def refusal(reference: str, folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        describe(reference, folder)
    return str(caught.value)


@pytest.mark.parametrize("name", registry.names("objective"))
def test_every_built_in_objective_is_described(name: str, tmp_path: Path) -> None:
    found = describe(name, tmp_path)
    assert found.kind == "builtin"
    assert found.doc
    assert found.metrics
    assert all(knob.default is not None for knob in found.signature.knobs.values() if knob.name == "epochs")


def test_a_file_is_relative_to_the_study_and_names_its_function(tmp_path: Path) -> None:
    path = write(tmp_path, '"""Mine."""\nMETRICS = ("a", "b")\ndef train(x=1): ...\ndef fit(y: int = 2): ...')
    found = describe("./my.py", tmp_path)
    assert (found.kind, found.reference, found.function, found.doc) == ("file", str(path), "train", "Mine.")
    assert found.metrics == ("a", "b")
    assert describe("my.py:fit", tmp_path).signature.knobs["y"].default == 2
    assert describe(found.reference, Path("/")) == found


def test_a_file_with_build_and_data_is_trained_by_the_suite(tmp_path: Path) -> None:
    write(tmp_path, "def build(*, width: int = 3): ...\ndef data(): ...")
    found = describe("my.py", tmp_path)
    assert found.trained_by_suite
    assert {"width", "learning_rate", "epochs"} <= set(found.signature.knobs)
    write(tmp_path, "def build(): ...", "half.py")
    assert "build but not data" in refusal("half.py", tmp_path)


def test_a_module_is_found_beside_the_study_without_importing_it(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    write(tmp_path / "package", "raise SystemExit", "__init__.py")
    write(tmp_path / "package", "raise SystemExit\ndef train(a=1): ...", "part.py")
    found = describe("package.part", tmp_path)
    assert (found.kind, found.path) == ("module", tmp_path / "package" / "part.py")
    assert not {"package", "package.part"} & set(sys.modules)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mpl", "no objective or module is called 'mpl': did you mean 'mlp'?"),
        ("./mine.py", "there is no file ./mine.py: did you mean 'my.py'?"),
        ("./nowhere/x.py", "there is no file ./nowhere/x.py in"),
        ("./folder.py", "is a folder"),
        ("./my.py:fti", "my.py has no function 'fti': did you mean 'fit'?"),
        ("./empty.py", "empty.py has no function 'train'"),
        ("./broken.py", "broken.py, line 2, is not Python"),
        ("./latin.py", "is not Python"),
        ("./nul.py", "is not Python"),
        ("a..b", "no objective or module"),
        (".", "no objective or module"),
        ("x" * 5000 + ".py", "there is no file"),
        ("x" * 5000, "no objective or module"),
        ("~nobody-of-this-name/x.py", "there is no file"),
        (COMMAND, "the command is empty"),
        (COMMAND + "sh 'x", "no closing quotation"),
        (COMMAND + "no-such-program {x}", "there is no program 'no-such-program'"),
        (COMMAND + "run.sh", "to run the file, write ./run.sh"),
        (COMMAND + "./nosuch.sh", "there is no program './nosuch.sh' in"),
        ("live:nothing", "belongs to the process that defined it"),
    ],
)  # fmt: skip
def test_what_cannot_be_found_says_what_was_meant(tmp_path: Path, reference: str, message: str) -> None:
    write(tmp_path, "def fit(): ...\ndef train(): ...")
    write(tmp_path, "", "empty.py")
    write(tmp_path, "x = 1\ndef train(:\n", "broken.py")
    write(tmp_path, "", "run.sh")
    (tmp_path / "latin.py").write_bytes(b"# \xe9\ndef train(): ...")
    (tmp_path / "nul.py").write_bytes(b"def train(): ...\x00")
    (tmp_path / "folder.py").mkdir()
    assert message in refusal(reference, tmp_path)


def test_placeholders_of_a_command_are_its_knobs(tmp_path: Path) -> None:
    found = describe(COMMAND + "sh run.sh {lr} --wd={wd} {lr} {{x}} ${HOME} {a b}", tmp_path)
    assert found.placeholders == ("lr", "wd")


def test_an_objective_that_says_nothing_of_its_keywords_gives_no_false_mistakes(tmp_path: Path) -> None:
    write(tmp_path, "from nowhere import Recipe\nMETRICS = make()\ndef train(recipe: Recipe): ...")
    found = describe("my.py", tmp_path)
    assert found.signature.open
    assert found.metrics == ()
    assert found.takes_data


def test_two_files_of_the_same_name_are_two_modules(tmp_path: Path) -> None:
    for folder, value in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, f"VALUE = {value}\ndef train(): ...")
    modules = [import_module(describe("./my.py", tmp_path / folder)) for folder in ("a", "b")]
    assert [module.VALUE for module in modules] == [1, 2]


def test_a_file_that_cannot_be_imported_passes_its_own_error_and_is_tried_again(tmp_path: Path) -> None:
    path = write(tmp_path, "raise RuntimeError('mine')\ndef train(): ...", "fails_once.py")
    with pytest.raises(RuntimeError, match="mine"):
        import_module(describe("./fails_once.py", tmp_path))
    path.write_text("def train(): return 5")
    assert import_module(describe("./fails_once.py", tmp_path)).train() == 5


def test_a_function_of_this_process_can_be_the_objective(tmp_path: Path) -> None:
    def train(*, x: float = 0.0, kind: str | None = None) -> float:
        """Mine."""
        return x

    reference = live(train)
    found = describe(reference, tmp_path)
    assert found.kind == "live"
    assert found.doc == "Mine."
    assert found.signature.knobs["kind"].kinds == {"str", "none"}
    assert getattr(import_module(found), found.function) is train


def test_a_function_of_a_module_is_named_by_it() -> None:
    assert live(describe) == "hpo.search.describe.objective:describe"
