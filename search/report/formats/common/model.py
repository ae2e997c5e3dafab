"""The network of a language model's recipe in the words of other libraries."""

from __future__ import annotations

from typing import Any

from hpo.search.report.formats.common.run import Run
from hpo.search.report.formats.common.sheet import Sheet

SHAPE = ("depth", "heads", "width", "context")
STYLE = ("positions", "normalization", "activation", "bias")
LLAMA = {"positions": "rotary", "normalization": "rms", "activation": "swiglu"}
BYTES = 258
"""Symbols of the tokenizer ``bytes``: all bytes, a separator and a mask."""
GPT2 = {"positions": "learned", "normalization": "layer", "activation": "gelu"}


def style(run: Run) -> str:
    """``llama`` or ``gpt2`` where the recipe's network is of that kind, empty where it is of neither."""
    own = {name: run.knobs.get(name) for name in LLAMA}
    return "llama" if own == LLAMA else "gpt2" if own == GPT2 and run.knobs.get("bias", True) else ""


def inner(run: Run) -> int | None:
    """Inner width of a block: 4 times the width, or with SwiGLU 8/3 of it to a multiple of 8; None where not known."""
    width = run.knobs.get("width")
    if not isinstance(width, int):
        return None
    return max(8, round(width / 3) * 8) if run.knobs.get("activation") == "swiglu" else 4 * width


def vocabulary(run: Run) -> int | None:
    """Symbols of the recipe's tokenizer; None where the text decides how many there are, or nothing says so."""
    size = run.knobs.get("vocabulary")
    known = {"bytes": BYTES, "char": None}
    return known.get(str(run.knobs.get("tokenizer")), size if isinstance(size, int) else None)


def config(run: Run) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """A config class of transformers, its keywords, and the knobs that these carry.

    Where no class is the recipe's network it is the nearest one: for a masked model always BERT's.
    """
    knobs, dropout = run.knobs, run.knobs.get("dropout")
    carried: tuple[str, ...] = (*SHAPE, "tied", "dropout")
    if run.language == "masked":
        words = {**_sizes(run), "intermediate_size": inner(run), "hidden_dropout_prob": dropout}
        words |= {"attention_probs_dropout_prob": 0.0, "tie_word_embeddings": knobs.get("tied")}
        name = "BertConfig"
    elif style(run) == "llama":
        bias = knobs.get("bias")
        words = {**_sizes(run), "intermediate_size": inner(run), "tie_word_embeddings": knobs.get("tied")}
        words |= {"attention_bias": bias, "mlp_bias": bias}
        name, carried = "LlamaConfig", (*SHAPE, "tied")
    else:
        words = {"n_layer": knobs.get("depth"), "n_head": knobs.get("heads"), "n_embd": knobs.get("width")}
        words |= {"n_positions": run.context, "vocab_size": vocabulary(run), "activation_function": "gelu"}
        words |= {"resid_pdrop": dropout, "embd_pdrop": dropout, "attn_pdrop": 0.0}
        words |= {"tie_word_embeddings": knobs.get("tied")}
        name = "GPT2Config"
    return name, {key: value for key, value in words.items() if value is not None}, carried


def _sizes(run: Run) -> dict[str, Any]:
    knobs = run.knobs
    return {
        "num_hidden_layers": knobs.get("depth"), "num_attention_heads": knobs.get("heads"),
        "hidden_size": knobs.get("width"), "max_position_embeddings": run.context, "vocab_size": vocabulary(run),
    }  # fmt: skip


def note_model(sheet: Sheet, run: Run) -> None:
    """Say which network the recipe trains, as a comment with a config of transformers."""
    name, words, carried = config(run)
    call = f"{name}({', '.join(f'{key}={value!r}' for key, value in words.items())})"
    sheet.note(f"the network: {call}" if style(run) else f"sizes of the network, as {call} has them", *carried)
    if run.language == "masked" or not style(run):
        sheet.note(f"the recipe's layers are not those of {name}: choose an architecture that has them", *STYLE)
    else:
        sheet.note(f"as {name} has them", *STYLE)


def note_rest(sheet: Sheet, run: Run) -> None:
    """Say what of initialization, parametrization and tokenizer the tools leave to other files."""
    sheet.note("initial weights: no key sets them; torch is the default of torch.nn, gpt2 normal(0.02)", "init")
    note_mup(sheet, run)
    sheet.note(tokens(run), "tokenizer", "vocabulary")


def tokens(run: Run) -> str:
    """What a token is and where the tool gets it from."""
    own = run.knobs.get("tokenizer")
    if own == "bytes":
        return f"give the tool a tokenizer of single bytes: with separator and mask the recipe's has {BYTES} symbols"
    if own == "char":
        return "give the tool a tokenizer of single characters, with as many symbols as the text has and two more"
    return "train the tokenizer apart and give the tool its folder"


def note_mup(sheet: Sheet, run: Run) -> None:
    """Say in numbers what muP changes, which no key of any tool does."""
    if run.knobs.get("parametrization") != "mup":
        return
    factors = []
    for size, symbol in (("width", "m"), ("depth", "l")):
        base = run.knobs.get(f"base_{size}")
        if base and run.knobs.get(size):
            factors.append(f"{symbol} = {size} / base_{size} = {run.knobs[size] / base:g}")
    small = "" if run.training.optimizer == "muon" else "hidden matrices take 1/m of the rate above, "
    sheet.note(
        f"no key does muP; with {' and '.join(factors) or 'm and l the sizes relative to the base'}: {small}their "
        "first weights have 1/m of the variance, the head's inputs are divided by m, queries times keys by the "
        "head's size and not by its root, branches and all rates in them by the root of l; weight "
        "decay goes by the rate above",
        "parametrization", "base_width", "base_depth",
    )  # fmt: skip
