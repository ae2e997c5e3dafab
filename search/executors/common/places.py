"""Which GPUs each worker process of a study gets, from what is there.

Workers take the cards in turn: the first worker the first card, and round again where several share one. What is there
is asked in a child process, so that the command itself never opens a card. Numbers count what this process may see, as
CUDA does: under ``CUDA_VISIBLE_DEVICES=2,3``, as Slurm sets it, 0 is card 2.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from hpo.search.terms.devices import Devices
from hpo.search.terms.errors import UserError

_PATIENCE = 60.0
_QUERY = ("nvidia-smi", "--query-gpu=index,uuid,memory.free", "--format=csv,noheader,nounits")
_TORCH = (
    "import torch\n"
    "for i in range(torch.cuda.device_count()):\n"
    "    uuid = getattr(torch.cuda.get_device_properties(i), 'uuid', '')\n"
    "    print(i, f'GPU-{uuid}', torch.cuda.mem_get_info(i)[0] >> 20, sep=', ')"
)
_INSTANCE = re.compile(r"UUID: (MIG-[\w/.-]+)")


@dataclass(frozen=True)
class _Card:
    """A GPU: its number on the machine, its name, its free memory in MiB, and its MIG instances."""

    number: str
    uuid: str
    free: float
    instances: list[str] = field(default_factory=list)


def places_of(devices: Devices | None, processes: int, workers: int) -> tuple[str, ...]:
    """What each worker sees, as CUDA_VISIBLE_DEVICES says it; empty where no GPUs are given out.

    Args:
        devices: what the study says.
        processes: that train a trial together, each on a card of its own.
        workers: how many there are.

    Raises:
        UserError: a GPU is not there, or there are too few.
    """
    if devices is None:
        return ()
    cards, gpus = _found(devices), devices.gpus or float(processes)
    if gpus >= 1:
        each, room = int(gpus), len(cards) // int(gpus)
        places = [",".join(cards[each * at : each * (at + 1)]) for at in range(room)]
    else:
        room = len(cards) * int(1 / gpus + 1e-9)
        places = cards
    if workers > room:
        raise UserError(_too_few(len(cards), gpus, workers, room))
    return tuple(places[at % len(places)] for at in range(workers))


def _too_few(cards: int, gpus: float, workers: int, room: int) -> str:
    have = f"{cards} GPU" + "s" * (cards != 1)
    ways = [f"give workers: {room}"] if room else []
    ways += [f"let several share one with devices: {{gpus: {max(1, cards) / workers:.2g}}}"] if gpus == 1 else []
    advice = ", or ".join(ways) or "ask for fewer"
    return f"{workers} worker{'s' * (workers != 1)} of {gpus:g} GPU each, and devices has {have}: {advice}"


def _found(devices: Devices) -> list[str]:
    """The study's cards as CUDA_VISIBLE_DEVICES takes them, each checked to be there."""
    seen = _visible(_cards())
    if not seen:
        raise UserError(
            "devices: there is no GPU here (nvidia-smi lists none, nor does torch): drop devices, or run where there is"
        )
    if not devices.cards:
        ranked = sorted(seen, key=lambda card: -card.free)  # a stable sort: the lower number first among equals
        return [name for card in ranked for name in card.instances or [card.number]]
    names = {str(at): card.number for at, card in enumerate(seen)}
    names |= {name: name for card in seen for name in (card.uuid, *card.instances)}
    for card in devices.cards:
        if card not in names:
            raise UserError(f"devices: there is no GPU {card} here, only {', '.join(filter(None, names))}")
    return [names[card] for card in devices.cards]


def _visible(cards: Sequence[_Card]) -> list[_Card]:
    """Those that this process may see, in the order in which CUDA counts them."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is None:
        return list(cards)
    known = {name: card for card in cards for name in (card.number, card.uuid)}
    found: list[_Card] = []
    for name in filter(None, (word.strip() for word in said.split(","))):
        instance = [_Card(name, name, card.free) for card in cards if name in card.instances]
        found += instance or ([known[name]] if name in known else [])
    return found


def _cards() -> list[_Card]:
    """Every GPU of the machine, as nvidia-smi tells or, where that is missing, torch in a process of its own."""
    told = _run(_QUERY)
    if told is None:
        cards = _read(_run((sys.executable, "-c", _TORCH)) or "")
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")  # torch counts what is visible, not what there is
        words = seen.split(",") if seen else []
        return [_Card(words[at].strip(), card.uuid, card.free) if at < len(words) else card
                for at, card in enumerate(cards)]  # fmt: skip
    cards = _read(told)
    owner: _Card | None = None
    for line in (_run(("nvidia-smi", "-L")) or "").splitlines():  # a card's instances stand below its own line
        owner = next((card for card in cards if card.uuid and f"UUID: {card.uuid})" in line), owner)
        instance = _INSTANCE.search(line)
        if owner is not None and instance is not None:
            owner.instances.append(instance[1])
    return cards


def _read(table: str) -> list[_Card]:
    rows = [[cell.strip() for cell in line.split(",")] for line in table.splitlines()]
    return [_Card(row[0], row[1], _number(row[2])) for row in rows if len(row) == 3 and row[0].isdigit()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # "[N/A]", where a card is cut into instances
        return 0.0


def _run(command: Sequence[str]) -> str | None:
    """What a program prints; None where it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_PATIENCE,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
