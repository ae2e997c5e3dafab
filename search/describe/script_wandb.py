"""Knobs of a script that has no command line and keeps its values in ``wandb.init(config={...})``.

As in a sweep, what the script reads from ``wandb.config`` is then the trial's recipe. What it reads from its own
mapping cannot be changed from outside, and is told.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from hpo.search.describe.annotations import value_of
from hpo.search.describe.script_option import Option
from hpo.search.describe.source import Source
from hpo.search.terms.knobs import UNKNOWN, Knob

_DEEPEST = 8


def declared(source: Source) -> list[Option]:
    """A knob for each value, inner ones as ``optim.lr``; none where the script does not read ``wandb.config``."""
    config = _config(source)
    if config is None or not _reads_config(source.tree):
        return []
    return [Option(Knob(name, value, _kinds(value)), form="config") for name, value in _values(config, source)]


def advice(source: Source) -> str:
    """What to write where the script has such values but does not read them from wandb; empty for other scripts."""
    config = _config(source)
    if config is None or _reads_config(source.tree) or not (named := [name for name, _ in _values(config, source)]):
        return ""
    return (
        f"{source.path.name} gives wandb.init its values ({', '.join(named[:4])}) and reads them from its own mapping, "
        "where nothing can change them: read them from wandb.config behind wandb.init, such as config = wandb.config, "
        f"then: hpo run {source.path.name}"
    )


def _config(source: Source) -> ast.expr | None:
    """What ``wandb.init`` is given for its configuration."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "wandb.init":
            given = next((keyword.value for keyword in node.keywords if keyword.arg == "config"), None)
            return _assigned(given, source) if isinstance(given, ast.Name) else given
    return None


def _assigned(name: ast.Name, source: Source) -> ast.expr | None:
    """What a name is assigned, where that is in one place."""
    found = [
        node.value
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name.id for t in node.targets)
    ]
    plain = [value for value in found if ast.unparse(value) not in ("wandb.config", "run.config")]
    return plain[0] if len(plain) == 1 else None


def _reads_config(tree: ast.Module) -> bool:
    """Whether anything is read from ``wandb.config``, or the ``config`` of a run that ``wandb.init`` gave."""
    runs = {"wandb"}
    for node in ast.walk(tree):
        opened = [node] if isinstance(node, ast.Assign) else node.items if isinstance(node, ast.With) else []
        for one in opened:
            value = one.value if isinstance(one, ast.Assign) else one.context_expr
            targets = one.targets if isinstance(one, ast.Assign) else [one.optional_vars]
            if isinstance(value, ast.Call) and ast.unparse(value.func) == "wandb.init":
                runs |= {target.id for target in targets if isinstance(target, ast.Name)}
    return any(
        isinstance(node, ast.Attribute) and node.attr == "config" and ast.unparse(node.value) in (*runs, "wandb.run")
        for node in ast.walk(tree)
    )


def _values(config: ast.expr, source: Source, above: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Names and values of a literal mapping, ``UNKNOWN`` where the text does not tell one."""
    pairs: list[tuple[object, ast.expr]] = []
    if isinstance(config, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in config.keys]
        pairs = list(zip(keys, config.values, strict=True))
    elif isinstance(config, ast.Call) and isinstance(config.func, ast.Name) and config.func.id == "dict":
        pairs = [(keyword.arg, keyword.value) for keyword in config.keywords]
    for key, node in pairs:
        if not isinstance(key, str):
            continue
        inner = list(_values(node, source, f"{above}{key}.", depth + 1)) if depth < _DEEPEST else []
        if inner:
            yield from inner
            continue
        value = value_of(node, source.find)
        yield f"{above}{key}", value if isinstance(value, (bool, int, float, str, type(None))) else UNKNOWN


def _kinds(value: object) -> frozenset[str]:
    kind = type(value).__name__
    return frozenset({kind} if kind in ("bool", "int", "float", "str") else ())
