"""One epoch of several lanes, tick by tick: see ``cohort``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.search.cohort import losses, optimizers
from hpo.search.cohort.augment import Augmentation
from hpo.search.cohort.gradient_noise import NoiseMeter
from hpo.search.cohort.lane import Lane
from hpo.search.cohort.noise import Masks
from hpo.search.cohort.penalties import Penalties
from hpo.search.cohort.samples import draw
from hpo.search.recipe import derive_seed


class Epoch:
    """The plan of an epoch, and its execution.

    Lanes with more ticks stand first, so at tick t the first ``active[t]`` lanes are at work.
    """

    def __init__(self, lanes: Sequence[Lane], weights: Tensor, gradient: Tensor) -> None:
        """Lay out the epoch.

        Args:
            lanes: longest epoch first.
            weights: [lanes, size].
            gradient: of the same shape; overwritten.
        """
        self._lanes, self._weights, self._gradient = lanes, weights, gradient
        self._network = lanes[0].trial.network
        self._data = data = lanes[0].trial.data
        self._own_loss = lanes[0].trial.loss
        recipes, device = [lane.trial.recipe for lane in lanes], data.device
        self._layouts = layouts = [lane.layout() for lane in lanes]
        self._plan(recipes)
        self._record = torch.zeros(self._share.shape[:2], dtype=self._share.dtype, device=device)
        self._counts = torch.tensor([float(lane.step) for lane in lanes], device=device)
        self._stepping = torch.from_numpy(self._rates > 0).to(device, torch.float32)
        self._loss = losses.Loss(recipes, data.task, device)
        self._meter = NoiseMeter(layouts, device)
        self._augmentation = Augmentation(recipes, [lane.epoch for lane in lanes])
        self._penalties = Penalties(lanes, self._rates, self._network.decayed)
        self._updates = [self._update(at) for at in range(len(lanes))]
        self._bfloat16 = recipes[0].precision == "bfloat16"
        rates = [lane.trial.network.rates for lane in lanes]
        self._masks: Masks | None = None
        if any(any(own) for own in rates):
            seeds = [(lane.trial.recipe.seed, lane.epoch) for lane in lanes]
            self._masks = Masks(seeds, rates, self._network.sites, lanes[0].micro, device)

    def train(self) -> list[NDArray[np.float64]]:
        """Run all ticks; return each lane's loss per optimizer step."""
        if not self._network.alone:
            return self._train()
        lane = self._lanes[0]  # such a network may draw from torch's own generator
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(lane.trial.recipe.seed, "forward", lane.epoch))
            return self._train()

    def noise(self) -> list[NDArray[np.float64]]:
        """What each lane's windows tell of the gradient's noise, [windows, 2]; see ``gradient_noise``."""
        plain = [lane.trial.recipe.class_weight == "none" for lane in self._lanes]
        return [
            found if unweighted else found[:0] for found, unweighted in zip(self._meter.estimates(), plain, strict=True)
        ]

    def _plan(self, recipes: Sequence[object]) -> None:
        """Tables [ticks, lanes, ...] of samples, shares and rates, and lists of what happens at each tick."""
        ticks, lanes, micro = self._layouts[0].ticks, len(self._lanes), self._lanes[0].micro
        count, classes = len(self._data.train), self._data.classes
        index = np.zeros((ticks, lanes, micro), dtype=np.int64)
        target, share = index.copy(), np.zeros(index.shape)
        partner, part = index.copy(), np.ones(index.shape)
        self._rates = np.zeros((ticks, lanes))
        self._begins: list[list[int]] = [[] for _ in range(ticks)]
        self._steps: list[list[int]] = [[] for _ in range(ticks)]
        mixed = False
        for at, (lane, cut) in enumerate(zip(self._lanes, self._layouts, strict=True)):
            drawn = draw(lane.trial.recipe, lane.epoch, cut, classes, count)
            index[: cut.ticks, at], target[: cut.ticks, at] = drawn.index, drawn.target
            share[: cut.ticks, at] = drawn.share
            if drawn.partner is not None and drawn.part is not None:
                partner[: cut.ticks, at], part[: cut.ticks, at], mixed = drawn.partner, drawn.part, True
            self._rates[np.flatnonzero(cut.ends), at] = lane.rates(cut.steps)
            for tick in np.flatnonzero(cut.begins).tolist():
                self._begins[tick].append(at)
            for tick in np.flatnonzero(cut.ends).tolist():
                self._steps[tick].append(at)
        self._active = [sum(cut.ticks > tick for cut in self._layouts) for tick in range(ticks)]
        device, kind = self._data.device, self._weights.dtype
        self._index, self._target = torch.from_numpy(index).to(device), torch.from_numpy(target).to(device)
        self._share = torch.from_numpy(share).to(device, kind)
        self._partner = torch.from_numpy(partner).to(device) if mixed else None
        self._part = torch.from_numpy(part).to(device, kind)

    def _update(self, at: int) -> Callable[[float], None]:
        """One lane's optimizer step on its own rows, as a function of the rate."""
        lane, gradient = self._lanes[at], self._gradient[at]
        rows = {**lane.rows, "gradient": gradient, "count": self._counts[at]}
        step = optimizers.bind(rows, lane.trial.recipe, self._network.parameters)
        return self._penalties.around(at, step, lane.rows["weights"], gradient)

    def _train(self) -> list[NDArray[np.float64]]:
        self._network.mode(training=True)
        lanes = 0
        for tick, active in enumerate(self._active):
            if active != lanes:
                lanes = active
                weights, gradient = self._weights[:lanes], self._gradient[:lanes]
                values = [view.detach().requires_grad_() for view in self._network.views(weights)]
                slots = self._network.views(gradient)
            gradients = self._backward(tick, lanes, values)
            if self._meter.needed:
                self._meter.micro(tick, gradients)
            if len(self._begins[tick]) == lanes:
                for slot, new in zip(slots, gradients, strict=True):
                    slot.copy_(new)
            else:
                for lane in self._begins[tick]:
                    gradient[lane].zero_()
                for slot, new in zip(slots, gradients, strict=True):
                    slot.add_(new)
            if self._steps[tick]:
                self._step(tick, weights, gradient)
        table = self._record.double().cpu().numpy()
        sums = [np.bincount(cut.window, weights=table[: cut.ticks, at]) for at, cut in enumerate(self._layouts)]
        return [np.asarray(own, dtype=np.float64) for own in sums]

    def _backward(self, tick: int, lanes: int, values: list[Tensor]) -> Sequence[Tensor]:
        """Record the tick's loss; return the gradient of its share in the window's mean."""
        train = self._data.train
        inputs = self._take(partial(torch.index_select, train.inputs, 0), self._index, tick, lanes)
        if self._augmentation:
            self._augmentation.apply(inputs)
        masks = self._masks.at(tick, lanes) if self._masks is not None else None
        share = self._share[tick, :lanes]
        real = share.shape[1]
        if self._network.ragged:  # such networks have one lane only, and take no padding
            real = int((share > 0).sum())
            inputs, share = inputs[:, :real], share[:, :real]
            masks = masks and [mask[:, :real] for mask in masks]
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._bfloat16):
            outputs = self._network.forward(values, inputs, masks).flatten(1, -2)
        with torch.no_grad():
            tokens = outputs.shape[1] // real  # of each sample, where each has a target
            if tokens > 1:
                share = share.repeat_interleave(tokens, dim=1) / tokens
            if self._own_loss is not None:
                targets = train.targets[self._target[tick, :lanes]]
                each, gradient = losses.users(outputs, targets[:, :real].flatten(1), self._own_loss)
            else:
                wanted = self._take(train.wanted, self._target, tick, lanes)[:, :real].flatten(1, -2)
                each, gradient = self._loss(outputs.float() if self._bfloat16 else outputs, wanted)
            self._record[tick, :lanes] = (each * share).sum(dim=1)
        return torch.autograd.grad(outputs, values, gradient.mul_(share.unsqueeze(2)).to(outputs.dtype))

    def _take(self, source: Callable[[Tensor], Tensor], index: Tensor, tick: int, lanes: int) -> Tensor:
        """Rows of the training part for all lanes, [lanes, micro, ...], mixed with their partners'."""
        taken = source(index[tick, :lanes].flatten())
        taken = taken.view(lanes, -1, *taken.shape[1:])
        if self._partner is None:
            return taken
        other = source(self._partner[tick, :lanes].flatten()).view(taken.shape)
        part = self._part[tick, :lanes].view(lanes, -1, *[1] * (taken.dim() - 2))
        return taken * part + other * (1 - part)

    def _step(self, tick: int, weights: Tensor, gradient: Tensor) -> None:
        if self._meter.needed:
            self._meter.window(tick, gradient)
        self._counts[: len(weights)].add_(self._stepping[tick, : len(weights)])
        self._penalties.before(tick, weights, gradient)
        rates = self._rates[tick].tolist()
        for at in self._steps[tick]:
            self._updates[at](rates[at])
            self._lanes[at].stepped()
