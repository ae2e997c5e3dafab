"""Export the winner as YAML, the trials as a table, or a recipe in the keys of the tool that trains it large.

The YAML holds the recipe by knob name, and apart from it the study, trial, values with interval, seed, data digest and
versions. `hpo train FILE` trains it again.

With --format transformers, lightning, llama-factory, axolotl, torchtune or nanogpt the winner's recipe, or that of the
trial whose number stands behind the study, is written for so many --devices in that tool's own keys, with a comment on
everything that has none.

With --format optuna the whole search is written as a script for plain Optuna that trains the same.

Of a trained model's folder, --output FILE.onnx writes what onnxruntime runs, held against the model before it is
written; --int8 makes its weights whole numbers of 8 bits, and says what that costs in scores.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.search.commands.common import arguments as options
from hpo.search.report import files, modelfolder, text
from hpo.search.report.out import data, say
from hpo.search.store.names import safe_name
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError, did_you_mean
from hpo.search.terms.threads import set_environment

if TYPE_CHECKING:
    from hpo.search.report.study import StudyReport
    from hpo.search.store import Store

_OWN = ("yaml", "csv", "parquet", "optuna", "onnx")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_trial(parser, needed=False)
    options.add_store(parser)
    parser.add_argument(
        "--top", type=int, default=1, metavar="K", help="the best K recipes (default: 1; several goals: the front)"
    )
    parser.add_argument(
        "--within",
        type=float,
        metavar="D",
        help="of several goals: the recipe that is best at the last one and at most D worse at the first, for sure",
    )
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        help=f"{', '.join(_OWN)} (by default the output's ending says, else yaml), or a tool: "
        f"{', '.join(registry.names('format'))}",
    )
    tool = parser.add_argument_group("for a tool")
    tool.add_argument("--devices", type=int, metavar="N", help="devices that share a step's samples (default: 1)")
    tool.add_argument(
        "--samples", type=int, metavar="N", help="training samples of the large run, where the recipe goes by epochs"
    )
    network = parser.add_argument_group("as ONNX, of a trained network, given by its folder in place of the study")
    network.add_argument("--int8", action="store_true", help="with weights of 8 bits")
    network.add_argument("--yes", action="store_true", help="run the code that builds the model, whoever wrote it")
    parser.add_argument("--output", type=Path, metavar="FILE", help="a file instead of standard output")
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def main(arguments: argparse.Namespace) -> int:
    """Write the export."""
    from hpo.search.report import study as report

    name, arguments.trial = options.study_and_trial(arguments)
    if arguments.top < 1:
        raise UserError(f"--top counts recipes from 1, got {arguments.top}")
    output: Path | None = arguments.output
    endings = {".csv": "csv", ".parquet": "parquet", ".onnx": "onnx"}
    kind = arguments.format or (endings.get(output.suffix, "yaml") if output is not None else "yaml")
    _check(arguments, kind)
    if arguments.within is not None and kind != "yaml":
        raise UserError(f"--within chooses a recipe to be trained, and {kind} holds none: write YAML")
    if kind == "onnx":
        return _onnx(arguments)
    if output is not None:
        if os.path.lexists(output) and not arguments.force:
            raise UserError(f"{output} exists; --force replaces it")
        files.probe(output)
    store = options.store_of(arguments)
    found = report.report(store, name)
    if kind in ("csv", "parquet"):
        _table(report.table(found), kind, output)
    else:
        content = _content(store, found, kind, arguments)
        if output is None:
            data(content)
        else:
            files.write(output, content)
    if kind == "yaml" and arguments.top > (held := len(found.leading())) and len(found.goals) == 1:
        say(f"--top {arguments.top}: the study has {held} that can be exported", file=sys.stderr)
    if output is not None:
        say(f"wrote {output}" + (f"; train it with: hpo train {output}" if kind == "yaml" else ""))
    return 0


def _onnx(arguments: argparse.Namespace) -> int:
    """Write a trained network as an ONNX file."""
    set_environment()  # before torch is imported
    folder, output = Path(options.study_name(arguments)), arguments.output
    if output is None:
        raise UserError("an ONNX file is no text: name it with --output FILE.onnx")
    if not folder.is_dir():
        recipe = safe_name(folder.name)
        raise UserError(
            f"there is no folder {folder}: ONNX takes a trained model; of a study's winner: hpo export --study "
            f"{shlex.quote(str(folder))} --output {recipe}.yaml, then hpo train {recipe}.yaml --output {recipe}-model"
        )
    if os.path.lexists(output) and not arguments.force:
        raise UserError(f"{output} exists; --force replaces it")
    files.probe(output)
    model = modelfolder.load(folder, trust=arguments.yes)
    made = registry.part("models").to_onnx(model, modelfolder.task_of(folder), int8=arguments.int8)
    files.write(output, made.content)
    say(f"onnxruntime gives what PyTorch gives, to {made.difference:.0e}, at 1 to 64 rows")
    for name, scores in made.scores.items():
        say(f"test part, {name}: " + ", ".join(f"{key} {text.short(value)}" for key, value in scores.items()))
    if made.unscored:
        say(f"not scored on its test part: {made.unscored}")
    say(f"wrote {output}, {len(made.content) / 1000:.0f} kB")
    return 0


def _check(arguments: argparse.Namespace, kind: str) -> None:
    """Refuse a format that there is not, and options that do not go with it.

    Raises:
        UserError: with what to give instead.
    """
    tools = registry.names("format")
    if kind not in (*_OWN, *tools):
        raise UserError(f"there is no format {kind!r}: {did_you_mean(kind, (*_OWN, *tools))}")
    if arguments.int8 and kind != "onnx":
        raise UserError("--int8 is of an ONNX file: name it with --output FILE.onnx")
    if kind in tools:
        for flag in ("devices", "samples"):
            given = getattr(arguments, flag)
            if given is not None and given < 1:
                raise UserError(f"--{flag} counts {flag} from 1, got {given}")
        if arguments.top != 1:
            raise UserError(f"--format {kind} writes one recipe: name another than the winner's with --trial N")
        return
    for flag in ("trial", "devices", "samples"):
        if getattr(arguments, flag) is not None:
            raise UserError(f"--{flag} goes with the format of a tool: add --format {' or '.join(tools)}")


def _for_tool(found: StudyReport, tool: str, arguments: argparse.Namespace) -> str:
    from hpo.search.report import recipefile

    module = registry.load("format", tool)
    run = recipefile.run_for(
        found, tool, trial=arguments.trial, devices=arguments.devices or 1, samples=arguments.samples
    )
    if run.language not in module.TAKES:
        others = [name for name in registry.names("format") if run.language in registry.load("format", name).TAKES]
        what = {"masked": "a masked language model"}.get(run.language, "no language model")
        raise UserError(
            f"{tool} trains causal language models, and {run.label} is {what}: take --format {' or '.join(others)}"
        )
    written: str = module.write(run)
    return written


def _content(store: Store, found: StudyReport, kind: str, arguments: argparse.Namespace) -> str:
    if kind == "optuna":
        from hpo.search.report import optunascript

        return optunascript.script(found)
    return _yaml(store, found, arguments) if kind == "yaml" else _for_tool(found, kind, arguments)


def _yaml(store: Store, found: StudyReport, arguments: argparse.Namespace) -> str:
    from hpo.search.report import recipefile, tolerance
    from hpo.search.report import study as report
    from hpo.search.store.names import CONFIRM

    fresh_name = found.name + CONFIRM
    fresh = report.report(store, fresh_name) if fresh_name in store.names() else None
    if arguments.within is None:
        return recipefile.compose(found, fresh, arguments.top)
    chosen = tolerance.within(found, arguments.within)
    say(chosen.told, file=sys.stderr)
    return recipefile.compose(found, fresh, arguments.top, chosen.candidate)


def _table(frame: object, kind: str, output: Path | None) -> None:
    import pandas

    assert isinstance(frame, pandas.DataFrame)
    if kind == "csv":
        if output is None:
            data(frame.to_csv())
        else:
            files.write(output, frame.to_csv())
        return
    if output is None:
        raise UserError("parquet is binary: name a file with --output")
    try:
        files.write(output, frame.to_parquet())
    except ImportError:
        raise UserError("parquet needs pyarrow: pip install 'hpo-suite[parquet]'") from None
