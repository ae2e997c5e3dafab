"""Weights that stay 0 or are rounded to 8 bits while a network is trained on, and the fewest bytes that hold them.

Stored under its own name a tensor is what torch.nn has, or one of these:

- of 8 bits, int8 with ``NAME.scale`` [rows]: a row of weights leads to one output, and its value is q x scale, with
  scale the row's largest magnitude / 127 (symmetric, as in Jacob et al. 2018, section 2.1, with zero point 0);
- sparse, where that is shorter: the values that are not 0 in a vector, in order, and ``NAME.kept``, a bit for every
  place, the first one lowest in its byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hpo.objectives.compression.structure import Structure
from hpo.objectives.networks.network import Network, Parameter
from hpo.objectives.networks.seen import Seen
from hpo.search.terms.errors import UserError

_LEVELS = 127
_SCALE, _KEPT = ".scale", ".kept"


class Compressed(Network):
    """A network whose weights are masked and rounded in each forward pass; gradients go by the weights themselves.

    Rounded weights pass their gradients straight through (Bengio et al. 2013), so training sees what is stored.

    Attributes:
        inner: what is run.
    """

    def __init__(
        self, inner: Network, start: Tensor, structure: Structure, kept: Mapping[int, Tensor], *, int8: bool
    ) -> None:
        """Take what it starts from.

        Args:
            inner: already with its fewer and smaller layers.
            start: first weights [size].
            structure: what its layers differ in from those that the objective builds.
            kept: for some parameters, by their place, which values may be other than 0, each of its shape.
            int8: whether matrices, and larger tables, are rounded.
        """
        self.inner, self._start, self._structure, self._kept, self._int8 = inner, start, structure, kept, int8
        self.key = (inner.key, id(self))  # its masks are its own, so it shares no kernels
        self.parameters, self.sites, self.rates = inner.parameters, inner.sites, inner.rates
        self.alone, self.ragged, self.held = inner.alone, inner.ragged, inner.held
        self.parametrization = inner.parametrization

    def mode(self, training: bool) -> None:
        """See ``Network``."""
        self.inner.mode(training)

    def initial(self, seed: int) -> list[Tensor]:
        """The weights it starts from, whatever the seed."""
        self.inner.initial(seed)  # sets buffers back
        return [value[0].clone() for value in self.inner.views(self._start.unsqueeze(0))]

    def forward(self, values: Sequence[Tensor], inputs: Tensor, masks: Sequence[Tensor] | None) -> Tensor:
        """Run with the weights as they would be stored."""
        return self.inner.forward([self._used(at, value) for at, value in enumerate(values)], inputs, masks)

    def look(self, values: Sequence[Tensor], inputs: Tensor) -> Seen:
        """See ``Network``."""
        return self.inner.look([self._used(at, value) for at, value in enumerate(values)], inputs)

    def state(self) -> Mapping[str, Tensor] | None:
        """See ``Network``."""
        return self.inner.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See ``Network``."""
        self.inner.restore(state)

    def described(self) -> Mapping[str, Any]:
        """How ``restored`` makes it anew out of what the objective builds."""
        return {"compression": {"layers": {name: dict(change) for name, change in self._structure.items()}}}

    def dense(self, row: Tensor) -> Tensor:
        """The weights [size] of ``inner`` that give what these give here."""
        values = self.inner.views(row.unsqueeze(0))
        with torch.no_grad():
            return torch.cat([self._used(at, value).reshape(-1) for at, value in enumerate(values)])

    def state_dict(self, row: Tensor) -> dict[str, Tensor]:
        """Weights as they are stored."""
        state = self.inner.state_dict(self.dense(row))
        for at, (parameter, value) in enumerate(zip(self.parameters, self.inner.views(row.unsqueeze(0)), strict=True)):
            kept = value[0] if at not in self._kept else value[0] * self._kept[at]
            named = state.pop(parameter.name)
            if self._rounds(parameter):
                whole, scale = rounded(kept.unsqueeze(0), parameter)
                state[parameter.name + _SCALE] = scale.flatten()
                named = (whole[0].t() if parameter.transposed else whole[0]).to(torch.int8)
            state |= _shortest(parameter.name, named.detach().contiguous())
        return state

    def kilobytes(self, row: Tensor) -> float:
        """Size of the file that holds these weights, in 1000 bytes."""
        from safetensors.torch import save

        return len(save(self.state_dict(row))) / 1000

    def as_module(self, row: Tensor) -> nn.Module:
        """See ``Network``."""
        return self.inner.as_module(self.dense(row))

    def _used(self, at: int, value: Tensor) -> Tensor:
        if at in self._kept:
            value = value * self._kept[at]
        return _Rounded.apply(value, self.parameters[at]) if self._rounds(self.parameters[at]) else value  # type: ignore[no-untyped-call]

    def _rounds(self, parameter: Parameter) -> bool:
        return self._int8 and len(parameter.shape) > 1


class _Rounded(torch.autograd.Function):
    """Values as 8 bits hold them; the gradient passes straight through."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, parameter: Parameter) -> Tensor:
        whole, scale = rounded(value, parameter)
        return whole * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def rounded(value: Tensor, parameter: Parameter) -> tuple[Tensor, Tensor]:
    """Whole numbers from -127 to 127, as float32, and what they are to be multiplied by.

    Args:
        value: [K, *shape].
        parameter: whose values these are.
    """
    inside = [1] if parameter.transposed else list(range(2, value.dim()))
    scale = value.abs().amax(dim=inside, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny * _LEVELS) / _LEVELS
    return torch.round(value / scale).clamp(-_LEVELS, _LEVELS), scale


def largest(network: Network, row: Tensor, share: float, *, together: bool) -> dict[int, Tensor]:
    """Which weights of the matrices stay when a share of them becomes 0: those of the largest magnitude.

    Args:
        network: of any kind.
        row: its weights [size].
        share: that becomes 0, of the matrices taken together (Han et al. 2015) or of each by itself.
        together: which of the two.
    """
    values = [value[0] for value in network.views(row.unsqueeze(0))]
    places = [at for at, parameter in enumerate(network.parameters) if parameter.matrix]
    groups = [places] if together else [[place] for place in places]
    kept = {}
    for group in groups:
        sizes = torch.cat([values[at].abs().flatten() for at in group])
        mask = torch.ones_like(sizes)
        mask[sizes.sort(stable=True).indices[: round(share * len(sizes))]] = 0
        for at, part in zip(group, torch.split(mask, [values[at].numel() for at in group]), strict=True):
            kept[at] = part.view(values[at].shape)
    return kept


def unpacked(network: Network, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Stored weights as torch.nn has them.

    Raises:
        UserError: something is missing, or does not fit.
    """
    found = dict(state)
    for parameter in network.parameters:
        name = parameter.name
        shape = parameter.shape[::-1] if parameter.transposed else parameter.shape
        kept, scale = found.pop(name + _KEPT, None), found.pop(name + _SCALE, None)
        value = found.get(name)
        if value is None:
            continue  # the network says what it lacks
        try:
            if kept is not None:
                bits = np.unpackbits(kept.numpy(), count=int(np.prod(shape)), bitorder="little").astype(bool)
                whole = torch.zeros(shape, dtype=value.dtype).flatten()
                whole[torch.from_numpy(bits)] = value
                value = whole.view(shape)
            if scale is not None:
                value = value.float() * scale.view(-1, *[1] * (value.dim() - 1))
        except (RuntimeError, ValueError) as error:
            raise UserError(f"the stored weights {name} do not fit the model: {error}") from None
        found[name] = value
    return found


def _shortest(name: str, value: Tensor) -> dict[str, Tensor]:
    places = value.flatten() != 0
    bits = torch.from_numpy(np.packbits(places.numpy(), bitorder="little"))
    values = value.flatten()[places]
    if value.dim() < 2 or bits.nbytes + values.nbytes >= value.nbytes:
        return {name: value}
    return {name: values, name + _KEPT: bits}
