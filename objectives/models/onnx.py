"""A trained network as an ONNX file, which onnxruntime runs without this suite and without PyTorch.

The numbers that go in are those of ``NetworkModel.prepare``: columns, fills and encodings of a table stay outside, and
stand in the file's metadata as plain JSON. What comes out is what ``hpo predict`` gives: probabilities, or values in
the target's own units; of language models the scores of the next, or the hidden, symbol before the softmax. The number
of rows is open, and that of a row's symbols up to the context.

What is written has been run: onnxruntime gives what PyTorch gives at several numbers of rows, or nothing is written.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpo.objectives.models.built import Built
from hpo.objectives.trainer.problem import Problem
from hpo.search.terms.errors import HpoError, UserError
from hpo.search.terms.job import Task

ROWS = (1, 2, 7, 64)
"""Numbers of rows at which the file is held against PyTorch."""
TOLERANCE = 1e-5
"""Largest difference that counts as equal, absolute and relative."""
_QUANTIZED = ("MatMul", "Gemm", "Gather")
_MISSING = "ONNX needs onnx, onnxscript and onnxruntime: pip install 'hpo-suite[onnx]'"


@dataclass(frozen=True)
class OnnxFile:
    """A network as a file.

    Attributes:
        content: of the file.
        scores: of the test part of the model's own data, by format: ``float32`` and, where weights are of 8 bits,
            ``int8``; empty where the data is no longer there.
        unscored: why there are none.
        difference: largest one from PyTorch before weights were made whole numbers.
    """

    content: bytes
    scores: Mapping[str, Mapping[str, float]]
    unscored: str
    difference: float


def to_onnx(model: Any, task: Task, *, int8: bool = False) -> OnnxFile:
    """Translate a model, run the result, and measure what it scores.

    Args:
        model: as ``hpo.load`` gives it.
        task: what it was trained on.
        int8: make the weights of matrices whole numbers of 8 bits, and each layer's input as it comes (dynamic
            quantization); convolutions stay as they are.

    Raises:
        UserError: packages are missing, it is no network, or the network cannot be translated.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise UserError(_MISSING) from None
    if not isinstance(model, Built):
        several = hasattr(model, "members")
        raise UserError(
            "only networks become ONNX files, and this model combines several: train the winner alone with hpo train "
            "--alone, or export one of them, FOLDER/members/0"
            if several
            else "only networks become ONNX files, and this model is none: predict with it by hpo predict"
        )
    translated = _translated(model)
    _forget(translated)
    onnx.helper.set_model_props(translated, _about(model))
    plain = translated.SerializeToString()
    difference = _checked(model, plain)
    content = _quantized(plain) if int8 else plain
    files = {"float32": plain, **({"int8": content} if int8 else {})}
    try:
        scores, unscored = _scored(model, task, files), ""
    except (HpoError, OSError) as error:
        scores, unscored = {}, str(error)
    return OnnxFile(content, scores, unscored, difference)


class _InUse(nn.Module):
    """A network with what makes predictions of its outputs."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        used = model.predictor
        self.network = used.network.as_module(used.weights)
        self.classes, self.by_token = bool(model.schema.classes), _by_token(model)
        self.mean: float = 0.0 if self.by_token else used.data.mean
        self.deviation: float = 1.0 if self.by_token else used.data.deviation

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.network(inputs)
        outputs = outputs.unsqueeze(1) if outputs.dim() == 1 else outputs
        if self.by_token:
            return outputs
        if self.classes:
            return outputs.softmax(dim=-1)
        values: Tensor = outputs.squeeze(1).double() * self.deviation + self.mean
        return values


def _by_token(model: Any) -> bool:
    """Whether each symbol of a row has outputs of its own."""
    return len(model.outputs) > 1


def _sequence(model: Any) -> bool:
    """Whether a row is symbols, any number of them up to the context."""
    return _by_token(model) and bool(model.symbols)


def _inputs(model: Any, rows: int, symbols: int, seed: int = 0) -> Tensor:
    """Made-up rows."""
    random = torch.Generator().manual_seed(seed)
    shape = (symbols,) if _sequence(model) else model.shape
    if model.symbols:
        return torch.randint(0, model.symbols, (rows, *shape), generator=random)
    return torch.randn((rows, *shape), generator=random)


def _translated(model: Any) -> Any:
    """The network as an ``onnx.ModelProto``."""
    open_ended = dict.fromkeys((0, 1) if _sequence(model) else (0,), torch.export.Dim.DYNAMIC)
    output = "scores" if _by_token(model) else "probabilities" if model.schema.classes else "values"
    sample = _inputs(model, 3, min(3, model.shape[-1]))
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                _InUse(model).eval(), (sample,), dynamo=True, dynamic_shapes=(open_ended,), verbose=False,
                input_names=["inputs"], output_names=[output],
            )  # fmt: skip
    except Exception as error:  # whatever the network's own code makes of it
        cause = error.__cause__ or error
        why = " ".join(str(cause).split())[:300]
        raise UserError(
            f"the network cannot be translated to ONNX: {why}; its forward must not depend on the number of rows, nor "
            "on what the inputs hold"
        ) from error
    assert program is not None
    found = program.model_proto
    _flatten_weights(found)
    return found


def _flatten_weights(graph_of: Any) -> None:
    """Weights [1, in, out] of a multiplication become [in, out], which it takes alike and faster, and quantizes.

    Networks here multiply lane by lane; an exported one has one lane, and inputs of three dimensions at least.
    """
    graph = graph_of.graph
    used: dict[str, list[tuple[Any, int]]] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            used.setdefault(name, []).append((node, place))
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in graph.value_info}
    for weight in graph.initializer:
        users = used.get(weight.name, [])
        deep = [node.op_type == "MatMul" and at == 1 and ranks.get(node.input[0], 0) >= 3 for node, at in users]
        if len(weight.dims) == 3 and weight.dims[0] == 1 and users and all(deep):
            del weight.dims[0]
    weights = {weight.name for weight in graph.initializer}
    for value in [value for value in graph.value_info if value.name in weights]:
        graph.value_info.remove(value)


def _forget(translated: Any) -> None:
    """Drop what torch notes for debugging: it names files of this machine, and takes more room than small weights."""
    graph = translated.graph
    for part in (translated, graph, *graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""


def _about(model: Any) -> dict[str, str]:
    """Metadata of the file."""
    schema, preparation = model.schema, model.preparation
    given = {
        True: "symbols of the model's tokenizer, int64 [rows, symbols], one document a row",
        False: f"float32 [rows, {', '.join(map(str, model.shape))}]",
    }[_sequence(model)]
    prepared = "" if preparation is None else ", as hpo.load(FOLDER).prepare(rows) makes them: preparation is outside"
    told = "scores before the softmax [rows, symbols, classes]"
    if not _by_token(model):
        told = "probabilities [rows, classes], in the order of classes"
        told = told if model.schema.classes else f"values of {schema.target} [rows], in its own units"
    about: dict[str, Any] = {
        "made by": "hpo export",
        "inputs": given + prepared,
        "outputs": told,
        "task": schema.task,
        "target": schema.target,
        "classes": list(schema.classes),
        "columns": [column.name for column in schema.columns],
        "features": list(schema.features),
        "preparation": None if preparation is None else preparation.plain(),
    }
    return {f"hpo {name}": text if isinstance(text, str) else json.dumps(text) for name, text in about.items()}


def _checked(model: Any, content: bytes) -> float:
    """Hold the file against PyTorch; gives the largest difference.

    Raises:
        UserError: it gives something else, or takes no other number of rows than it was made with.
    """
    session, module = _session(content), _InUse(model).eval()
    longest, largest = model.shape[-1], 0.0
    lengths = sorted({1, -(-longest // 2), longest}) if _sequence(model) else [longest]
    for rows in ROWS:
        for length in lengths:
            inputs = _inputs(model, rows, length, seed=rows + length)
            with torch.no_grad():
                wanted = module(inputs)
            try:
                found = torch.from_numpy(_run(session, inputs.numpy()))
            except Exception as error:  # onnxruntime has many
                raise UserError(f"the ONNX file does not take {rows} rows: {' '.join(str(error).split())}") from error
            if found.shape != wanted.shape or not torch.allclose(found, wanted, TOLERANCE, TOLERANCE):
                raise UserError(
                    f"the ONNX file gives something else than the network for {rows} rows of {length}, so nothing was "
                    "written: its forward may depend on the number of rows"
                )
            largest = max(largest, float((found - wanted).abs().max()))
    return largest


def _scored(model: Any, task: Task, files: Mapping[str, bytes]) -> dict[str, Mapping[str, float]]:
    """Metrics on the test part of the model's own data.

    Raises:
        HpoError, OSError: the data is no longer there.
    """
    data = Problem(model.module, task).setup(model.knobs).data
    part, most = data.test(), model.predictor.rows
    return {name: data.score(_forward(model, content), part, 1, most)[0] for name, content in files.items()}


def _forward(model: Any, content: bytes) -> Callable[[Tensor], Tensor]:
    """The file as the trainer scores networks, inputs [1, B, ...] to outputs [1, B, ..., outputs]."""
    session, data = _session(content), model.predictor.data

    def forward(inputs: Tensor) -> Tensor:
        rows = inputs[0, :, 0] if model.documents else inputs[0]
        found = torch.from_numpy(_run(session, rows.numpy()))
        if not _by_token(model):
            tiny = torch.finfo(torch.float32).tiny
            found = (
                found.clamp(min=tiny).log() if model.schema.classes else ((found - data.mean) / data.deviation).float()
            )
            found = found if model.schema.classes else found.unsqueeze(1)
        return found.unsqueeze(0)

    return forward


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised too
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _run(session: Any, inputs: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = session.run(None, {"inputs": inputs})[0]
    return found


def _quantized(content: bytes) -> bytes:
    """The same with matrices of whole numbers, one scale for each: with one for each output onnxruntime is slower."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, _quiet():
        made = Path(folder, "int8.onnx")
        quantize_dynamic(onnx.load_model_from_string(content), made, list(_QUANTIZED), weight_type=QuantType.QInt8)
        return made.read_bytes()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to themselves what torch and onnxruntime advise their own developers."""
    import logging

    loggers = [logging.getLogger(name) for name in (None, "torch.onnx", "onnxscript", "onnx_ir")]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in before:
            logger.setLevel(level)
