"""The network of a language model's recipe in the words of other libraries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.search.report.formats.common.run import Run
from hpo.search.report.formats.common.sheet import Sheet

SHAPE = ("depth", "heads", "width", "context")
STYLE = ("positions", "normalization", "activation")
LLAMA = {"positions": "rotary", "normalization": "rms", "activation": "swiglu"}
GPT2 = {"positions": "learned", "normalization": "layer", "activation": "gelu"}


def style(run: Run) -> str:
    """``llama`` or ``gpt2`` where the recipe's network is of that kind, empty where it is of neither."""
    own = {name: run.knobs.get(name) for name in STYLE}
    return "llama" if own == LLAMA else "gpt2" if own == GPT2 else ""


def config(run: Run) -> tuple[str, dict[str, Any]]:
    """A config class of transformers with its keywords; of the nearest kind where none is the recipe's."""
    knobs = run.knobs
    if style(run) == "llama":
        names = {
            "num_hidden_layers": "depth", "num_attention_heads": "heads", "hidden_size": "width",
            "max_position_embeddings": "context", "tie_word_embeddings": "tied",
        }  # fmt: skip
        return "LlamaConfig", _given(names, knobs)
    names = {"n_layer": "depth", "n_head": "heads", "n_embd": "width", "n_positions": "context"}
    dropout = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), "dropout")
    return "GPT2Config", _given({**names, **dropout, "tie_word_embeddings": "tied"}, knobs)


def _given(names: Mapping[str, str], knobs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: knobs[knob] for key, knob in names.items() if knob in knobs}


def note_model(sheet: Sheet, run: Run) -> None:
    """Say which network the recipe trains, as a comment with a config of transformers."""
    name, words = config(run)
    if run.language == "masked":
        name, words = "BertConfig", _given(
            {
                "num_hidden_layers": "depth", "num_attention_heads": "heads", "hidden_size": "width",
                "max_position_embeddings": "context", "tie_word_embeddings": "tied",
            },
            run.knobs,
        )  # fmt: skip
    call = f"{name}({', '.join(f'{key}={value!r}' for key, value in words.items())})"
    sheet.note(f"the network: {call}", *SHAPE)
    sheet.note("with these", "tied", "dropout")
    if run.language == "masked" or not style(run):
        sheet.note(f"the recipe's layers are not those of {name}: choose an architecture that has them", *STYLE)
    else:
        sheet.note(f"as {name} has them", *STYLE)


def note_rest(sheet: Sheet, run: Run) -> None:
    """Say what of the data and the initialization every tool leaves to other files."""
    sheet.note("initial weights: none of the keys sets them; the suite's are in objectives/networks", "init")
    if run.knobs.get("parametrization") == "mup":
        base = run.knobs.get("base_width")
        wide = f" (here {run.knobs['width'] / base:g})" if base and run.knobs.get("width") else ""
        sheet.note(
            "under muP the rate above is that of the base width: hidden matrices take it divided by width / base_width"
            f"{wide} in a parameter group of their own, attention scales by 1/d and the output by base_width / width",
            "parametrization", "base_width", "base_depth",
        )  # fmt: skip
    sheet.note("train the tokenizer apart and give the tool its folder", "tokenizer", "vocabulary")
