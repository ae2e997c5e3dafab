"""Any torch.nn.Module as a network of a cohort.

The forward pass is vectorized over lanes by torch.func; the backward pass is one ordinary autograd call, and randomness
comes from outside: each ``nn.Dropout`` is replaced by one that multiplies by the mask it is given. Modules for which
that is not possible are trained lane by lane by the same trainer, with the reason in ``alone``.
"""

from __future__ import annotations

import hashlib
import types
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from hpo.objectives.networks.depth import last_unit
from hpo.objectives.networks.network import Network, Parameter, Shape
from hpo.objectives.networks.seen import Seen, Step
from hpo.search.terms.errors import UserError


class ModuleNetwork(Network):
    """A module built for one lane; its own weights are the lane's first weights."""

    def __init__(self, module: nn.Module, sample: Tensor, outputs: Shape, known: dict[Hashable, str]) -> None:
        """Look the module over.

        Args:
            module: as ``build`` returned it.
            sample: two inputs, to try it on.
            outputs: shape that the data needs per sample.
            known: why modules of a key are trained alone, filled in here; trying out costs time once per key.

        Raises:
            UserError: it gives another shape.
        """
        self._masks: list[Tensor] | None = None
        self._recorded: list[tuple[Shape, float]] = []
        self._recording = False
        _swap_dropout(module, self)
        self.module = module
        trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
        tables = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}  # see ``sequence``
        matrices = {name for name, value in trained.items() if value.dim() >= 2 and id(value) not in tables}
        ranked = sorted(trained, key=lambda name: name not in matrices)
        self.parameters = tuple(Parameter(name, tuple(trained[name].shape), name in matrices) for name in ranked)
        self.order, self.head = tuple(trained), last_unit(tuple(trained), self.parameters)
        self._first = [trained[name].detach().clone() for name in ranked]
        own = fingerprint(module)
        self.key = own
        self.ragged = any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())
        if (given := self._record(sample)) != outputs:
            raise UserError(f"the module gives {list(given)} per sample, the data needs {list(outputs)}")
        if own not in known:
            known[own] = _reason(module) or self._trial(sample)
        self.alone = known[own]
        self._began = {name: value.clone() for name, value in self._untrained().items()}
        self._first_facts = _facts(module)
        tensors = [*self._first, *module.parameters(), *module.buffers()]
        self.held = sum(tensor.nbytes for tensor in tensors)

    def initial(self, seed: int) -> list[Tensor]:
        """The weights that ``build`` gave the module, which was seeded before; its buffers are set back too."""
        self.restore(self._began)
        return [value.clone() for value in self._first]

    def take(self, state: Mapping[str, Tensor]) -> dict[str, list[int]]:
        """See ``Network``; buffers and frozen parameters are taken over too."""
        for name, value in self._untrained().items():
            if name in state and state[name].shape == value.shape:
                self._began[name] = state[name].to(value)
        return super().take(state)

    def names(self) -> frozenset[str]:
        """See ``Network``; with buffers."""
        return frozenset(self.module.state_dict())

    def mode(self, training: bool) -> None:
        """Switch layers that behave differently in training."""
        self.module.train(training)

    def forward(self, values: Sequence[Tensor], inputs: Tensor, masks: Sequence[Tensor] | None) -> Tensor:
        """Call the module for all lanes at a time, or for the only one."""
        given = list(masks or ())
        if self.alone:
            assert len(inputs) == 1
            return self._call([value[0] for value in values], inputs[0], [mask[0] for mask in given]).unsqueeze(0)
        with _together():
            outputs: Tensor = vmap(self._call)(list(values), inputs, given)
        return outputs

    def look(self, values: Sequence[Tensor], inputs: Tensor) -> Seen:
        """See ``Network``; lane by lane, for what hooks are given under ``vmap`` cannot be kept."""
        lanes = [self._look([value[lane] for value in values], inputs[lane]) for lane in range(len(inputs))]
        seen = Seen()
        for same in zip(*lanes, strict=True):
            seen.steps.append(same[0]._replace(output=torch.stack([step.output for step in same])))
        return seen

    def _look(self, values: list[Tensor], inputs: Tensor) -> list[Step]:
        steps: list[Step] = []

        def note(place: str, part: nn.Module, _: object, output: object) -> None:
            if isinstance(output, Tensor) and output.dim() > 1:
                steps.append(Step(place, type(part).__name__, output))

        parts = [(name, part) for name, part in self.module.named_modules() if name and not isinstance(part, _Dropped)]
        hooks = [part.register_forward_hook(partial(note, name)) for name, part in parts]
        try:
            self._call(values, inputs, [])
        finally:
            for hook in hooks:
                hook.remove()
        return steps

    def state(self) -> Mapping[str, Tensor] | None:
        """Buffers and frozen parameters; None where the module holds more that may have changed.

        Of lanes that share kernels none has a module of its own, so nothing in it can be a lane's.
        """
        if not self.alone:
            return {}
        facts = _facts(self.module)
        return None if facts is None or facts != self._first_facts else self._untrained()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put buffers and frozen parameters in their places."""
        own = self._untrained()
        with torch.no_grad():
            for name, value in state.items():
                own[name].copy_(value)

    def _untrained(self) -> dict[str, Tensor]:
        frozen = {name: value for name, value in self.module.named_parameters() if not value.requires_grad}
        return {**frozen, **dict(self.module.named_buffers())}

    def state_dict(self, row: Tensor) -> dict[str, Tensor]:
        """The module's own state, buffers included, with the lane's weights under all of their names."""
        trained = super().state_dict(row)
        names = {id(value): name for name, value in self.module.named_parameters()}
        whole = self.module.state_dict(keep_vars=True)
        return {name: trained.get(names.get(id(value), ""), value).detach().clone() for name, value in whole.items()}

    def row(self, state: Mapping[str, Tensor]) -> Tensor:
        """See ``Network``; buffers and frozen parameters are the module's own from here on."""
        found = super().row(state)
        self.restore({name: state[name] for name in self._untrained() if name in state})
        return found

    def as_module(self, row: Tensor) -> nn.Module:
        """The module itself, which holds these weights from here on."""
        self.module.load_state_dict(self.state_dict(row))
        return self.module.eval()

    def _call(self, values: list[Tensor], inputs: Tensor, masks: list[Tensor]) -> Tensor:
        self._masks = list(masks) if masks else None
        named = {parameter.name: value for parameter, value in zip(self.parameters, values, strict=True)}
        outputs: Tensor = functional_call(self.module, named, (inputs,))
        return outputs.unsqueeze(1) if outputs.dim() == 1 else outputs

    def dropped(self, x: Tensor, rate: float) -> Tensor:
        """What a dropout layer of the module gives for its input."""
        if self._recording:
            self._recorded.append((tuple(x.shape), rate))
        if self._masks is None:
            return x
        return x * self._masks.pop(0)

    def _record(self, sample: Tensor) -> Shape:
        """Find where dropout is applied, by running the module once; return the shape of its outputs per sample."""
        self._recording = True
        was = {name: value.clone() for name, value in self.module.named_buffers()}
        with torch.no_grad(), torch.random.fork_rng():
            self.module.train()
            outputs: Tensor = self.module(sample)
        self._recording = False
        for name, value in self.module.named_buffers():
            value.copy_(was[name])
        self.sites = tuple(shape[1:] for shape, _ in self._recorded)
        self.rates = tuple(rate for _, rate in self._recorded)
        self._sound = all(shape[0] == len(sample) for shape, _ in self._recorded)
        return tuple(outputs.shape[1:]) or (1,)

    def _trial(self, sample: Tensor) -> str:
        """Run two lanes together and one alone; say why that does not work."""
        if not self._sound:
            return "its dropout is applied to a tensor whose first dimension is not the sample"
        pair = [torch.stack([value, value * 1.01]) for value in self._first]
        inputs = torch.stack([sample, sample])
        ones = [torch.ones(2, len(sample), *site, device=sample.device) for site in self.sites]
        was = {name: value.clone() for name, value in self.module.named_buffers()}
        try:
            with torch.no_grad(), _together():
                self.module.train()
                both = vmap(self._call)(pair, inputs, ones)
                one = self._call([value[1] for value in pair], sample, [mask[1] for mask in ones])
        except Exception as error:  # whatever torch.func cannot do, the module may well do lane by lane
            return " ".join(str(error).split())[:200] or type(error).__name__
        if any(not torch.equal(value, was[name]) for name, value in self.module.named_buffers()):
            return "it changes its buffers in the forward pass"
        if not torch.allclose(both[1], one, atol=1e-4, rtol=1e-4):
            return "it gives other outputs when lanes are computed together"
        return ""


@contextmanager
def _together() -> Iterator[None]:
    """Make attention such that lanes can share it, and keep torch's advice about other operations to itself.

    In evaluation ``nn.MultiheadAttention`` takes a kernel that has no form for several lanes.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


class _Dropped(nn.Module):
    """Stands in for nn.Dropout."""

    def __init__(self, rate: float, dropped: Callable[[Tensor, float], Tensor]) -> None:
        super().__init__()
        self.rate = rate
        self._dropped = dropped

    def forward(self, x: Tensor) -> Tensor:
        return self._dropped(x, self.rate) if self.training else x


def _swap_dropout(module: nn.Module, network: ModuleNetwork) -> None:
    for name, part in module.named_children():
        if type(part) is nn.Dropout:
            setattr(module, name, _Dropped(part.p, network.dropped))
        else:
            _swap_dropout(part, network)


def _reason(module: nn.Module) -> str:
    """Kinds of layers that are known not to share kernels."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            return f"{type(part).__name__} keeps running statistics; LayerNorm or GroupNorm would not"
        if isinstance(part, nn.RNNBase):
            return f"{type(part).__name__} has no batched kernel over models"
        strange = [name for name, value in vars(part).items() if not name.startswith("_") and _plain(value) is None]
        if strange and not isinstance(part, _Dropped):
            kind = type(vars(part)[strange[0]]).__name__
            return f"{type(part).__name__} holds a {kind} in {strange[0]!r}, which may differ between lanes"
    return ""


def fingerprint(module: nn.Module) -> Hashable:
    """Everything about a module but its weights and the rates of its dropout."""
    words: list[str] = []
    for name, part in module.named_modules():
        words.append(f"{name}:{type(part).__module__}.{type(part).__qualname__}")
        if not isinstance(part, _Dropped):
            public = {key: value for key, value in vars(part).items() if not key.startswith("_")}
            words += [f"{key}={_plain(value) or id(value)}" for key, value in public.items() if key != "training"]
    words += [f"{name}{tuple(value.shape)}{value.requires_grad}" for name, value in module.named_parameters()]
    fixed = [value for value in module.parameters() if not value.requires_grad]
    for tensor in [*module.buffers(), *fixed]:
        words.append(hashlib.sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).hexdigest())
    return "\n".join(words)


def _facts(module: nn.Module) -> dict[str, str] | None:
    """What a module holds beside the values of its tensors; None where that cannot be told."""
    facts = {name: str(tuple(value.shape)) for name, value in [*module.named_parameters(), *module.named_buffers()]}
    bare = vars(nn.Module()).keys()
    for name, part in module.named_modules():
        if isinstance(part, _Dropped):
            continue
        if any(value for key, value in vars(part).items() if key.endswith("_hooks") and key in bare):
            return None
        for key, value in vars(part).items():
            if key not in bare:
                words = _plain(value)
                if words is None:
                    return None
                facts[f"{name}.{key}"] = words
    return facts


def _plain(value: Any) -> str | None:
    """Text of a value that means the same in every lane; None when that cannot be told."""
    if value is None or isinstance(value, (bool, int, float, str, torch.dtype, torch.device, torch.Size)):
        return repr(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [_plain(item) for item in value]
        return None if None in parts else f"{type(value).__name__}{parts}"
    if isinstance(value, dict):
        items = [(_plain(key), _plain(item)) for key, item in value.items()]
        return None if any(None in pair for pair in items) else f"dict{items}"
    if isinstance(value, (types.BuiltinFunctionType, type)):
        return repr(value)
    if isinstance(value, types.FunctionType) and value.__closure__ is None and "<lambda>" not in value.__qualname__:
        return f"{value.__module__}.{value.__qualname__}"
    return None
