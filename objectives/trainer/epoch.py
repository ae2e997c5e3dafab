"""One epoch of several lanes, tick by tick: see ``cohort``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.objectives.networks import gradients
from hpo.objectives.trainer import losses, optimizers
from hpo.objectives.trainer.augment import Augmentation
from hpo.objectives.trainer.distillation import Teacher, TokenTeacher
from hpo.objectives.trainer.feed import Feed, TokenFeed
from hpo.objectives.trainer.gradient_noise import NoiseMeter
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.noise import Masks
from hpo.objectives.trainer.penalties import Penalties
from hpo.objectives.trainer.samples import draw
from hpo.objectives.trainer.statistics import StepMeter
from hpo.objectives.trainer.token_scores import IGNORED
from hpo.search.terms.recipe import derive_seed


class Epoch:
    """The plan of an epoch, and its execution.

    Lanes with more ticks stand first, so at tick t the first ``active[t]`` lanes are at work.

    Attributes:
        statistics: of the steps, where they are recorded.
    """

    def __init__(self, lanes: Sequence[Lane], weights: Tensor, gradient: Tensor) -> None:
        """Lay out the epoch.

        Args:
            lanes: longest epoch first.
            weights: [lanes, size].
            gradient: of the same shape; overwritten.
        """
        self._lanes, self._weights, self._gradient = lanes, weights, gradient
        self._network = lanes[0].setup.network
        self._data = data = lanes[0].setup.data
        self._own_loss, self._ranks = lanes[0].setup.loss, lanes[0].setup.ranks
        self._teacher = lanes[0].setup.teacher
        recipes, device = [lane.setup.recipe for lane in lanes], data.device
        self._tokens = data.per_token
        self._length = lanes[0].length if self._tokens and lanes[0].length < data.context else 0
        self._layouts = layouts = [lane.layout() for lane in lanes]
        self._plan()
        self._record = torch.zeros_like(self._share)
        self._done = torch.tensor([float(lane.step) for lane in lanes], device=device)
        self._stepping = torch.from_numpy(self._rates > 0).to(device, torch.float32)
        self._loss = losses.Loss(recipes, data.task, device)
        self._of_samples: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = self._loss
        if isinstance(self._teacher, Teacher):
            self._of_samples = self._teacher.loss(self._loss, classes=bool(data.number))
        self._meter = NoiseMeter(layouts, self._counts, device)
        self.statistics = StepMeter(lanes, layouts, device) if lanes[0].setup.record else None
        self._augmentation = Augmentation(recipes, [lane.epoch for lane in lanes])
        self._penalties = Penalties(lanes, self._rates)
        self._updates = [self._update(at) for at in range(len(lanes))]
        self._bfloat16 = recipes[0].precision == "bfloat16"
        rates = [lane.setup.network.rates for lane in lanes]
        self._masks: Masks | None = None
        if any(any(own) for own in rates):
            seeds = [(lane.setup.recipe.seed, lane.epoch) for lane in lanes]
            self._masks = Masks(seeds, rates, self._network.sites, lanes[0].micro, device)

    @property
    def counted(self) -> list[NDArray[np.float64]]:
        """What each lane's optimizer steps count: their samples, or their tokens, [steps]."""
        if not self._tokens:
            return [cut.items[cut.ends].astype(np.float64) for cut in self._layouts]
        pairs = zip(self._layouts, self._counts, strict=True)
        return [np.bincount(cut.window, weights=own).astype(np.float64) for cut, own in pairs]

    def train(self) -> list[NDArray[np.float64]]:
        """Run all ticks; return each lane's loss per optimizer step."""
        if not self._network.alone:
            return self._train()
        lane = self._lanes[0]  # such a network may draw from torch's own generator
        with torch.random.fork_rng():
            apart = [self._ranks.rank] if self._ranks.rank else []  # ranks that drew alike would drop alike
            torch.manual_seed(derive_seed(lane.setup.recipe.seed, "forward", lane.epoch, *apart))
            return self._train()

    def noise(self) -> list[NDArray[np.float64]]:
        """What each lane's windows tell of the gradient's noise, [windows, 2]; see ``gradient_noise``."""
        plain = [lane.setup.recipe.class_weight == "none" for lane in self._lanes]
        return [
            found if unweighted else found[:0] for found, unweighted in zip(self._meter.estimates(), plain, strict=True)
        ]

    def _plan(self) -> None:
        """Tables [ticks, lanes, ...] of samples, shares and rates, and lists of what happens at each tick."""
        ticks, lanes, micro = self._layouts[0].ticks, len(self._lanes), self._lanes[0].micro
        train, classes = self._data.train, self._data.classes
        index = np.zeros((ticks, lanes, micro), dtype=np.int64)
        target, share, keys = index.copy(), np.zeros(index.shape), index.copy()
        partner, part = index.copy(), np.ones(index.shape)
        self._rates, goes_on = np.zeros((ticks, lanes)), np.ones((ticks, lanes, 1))
        self._steps: list[list[tuple[int, float]]] = [[] for _ in range(ticks)]
        self._counts: list[NDArray[np.float64]] = []
        mixed = keyed = False
        for at, (lane, cut) in enumerate(zip(self._lanes, self._layouts, strict=True)):
            start = lane.place.samples if lane.plan.across_passes else None
            drawn = draw(lane.setup.recipe, lane.epoch, cut, classes, train, start, self._length)
            index[: cut.ticks, at], target[: cut.ticks, at] = drawn.index, drawn.target
            share[: cut.ticks, at] = drawn.share
            self._counts.append(drawn.counts.sum(axis=1))
            if drawn.partner is not None and drawn.part is not None:
                partner[: cut.ticks, at], part[: cut.ticks, at], mixed = drawn.partner, drawn.part, True
            if drawn.keys is not None:
                keys[: cut.ticks, at], keyed = drawn.keys.view(np.int64), True
            goes_on[np.flatnonzero(cut.begins), at] = 0.0
            self._rates[np.flatnonzero(cut.ends), at] = rates = lane.rates(cut.steps)
            for tick, rate in zip(np.flatnonzero(cut.ends).tolist(), rates, strict=True):
                self._steps[tick].append((at, rate))
        self._active = [sum(cut.ticks > tick for cut in self._layouts) for tick in range(ticks)]
        self._all_begin = [not goes_on[tick, :active].any() for tick, active in enumerate(self._active)]
        device, kind = self._data.device, self._weights.dtype
        self._goes_on = torch.from_numpy(goes_on).to(device, kind)
        self._share = torch.from_numpy(share).to(device, kind)
        places = torch.from_numpy(index).to(device)
        if self._tokens:
            words = torch.from_numpy(keys).to(device) if keyed else None
            self._sequences = TokenFeed(train.read, places, words, self._length)
            return
        pairs = (torch.from_numpy(partner).to(device), torch.from_numpy(part).to(device, kind)) if mixed else None
        wanted = torch.from_numpy(target).to(device)
        self._inputs = Feed(partial(torch.index_select, train.inputs, 0), places, pairs)
        if self._own_loss is None:
            source = self._teacher.wanted(train) if isinstance(self._teacher, Teacher) else train.wanted
            self._wanted = Feed(source, wanted, pairs)
        else:
            self._wanted = Feed(partial(torch.index_select, train.targets, 0), wanted)

    def _update(self, at: int) -> Callable[[float], None]:
        """One lane's optimizer step on its own rows, as a function of the rate."""
        lane, gradient = self._lanes[at], self._gradient[at]
        rows = {**lane.rows, "gradient": gradient, "count": self._done[at]}
        step = optimizers.bind(rows, lane.setup.recipe, lane.setup.network.parameters)
        return self._penalties.around(at, step, lane.rows["weights"], gradient)

    @torch.no_grad()
    def _train(self) -> list[NDArray[np.float64]]:
        self._network.mode(training=True)
        lanes = 0
        for tick, active in enumerate(self._active):
            if active != lanes:
                lanes = active
                weights, gradient = self._weights[:lanes], self._gradient[:lanes]
                network = gradients.bind(self._network, self._network.views(weights), bfloat16=self._bfloat16)
                added = torch.empty_like(gradient)
                first_slots, slots = self._network.views(gradient), self._network.views(added)
            fresh = self._all_begin[tick]
            own, own_slots = (gradient, first_slots) if fresh else (added, slots)
            if (outputs := self._at_outputs(tick, lanes, network)) is None:
                own.zero_()
            else:
                network.backward(outputs, own_slots)
            self._ranks.add(own)
            if self._meter.needed:
                self._meter.micro(tick, own)
            if not fresh:
                torch.addcmul(added, gradient, self._goes_on[tick, :lanes], out=gradient)
            if self._steps[tick]:
                self._step(tick, weights, gradient)
        self._ranks.add(self._record)
        table = (self._record * self._share).sum(dim=2).double().cpu().numpy()
        sums = [np.bincount(cut.window, weights=table[: cut.ticks, at]) for at, cut in enumerate(self._layouts)]
        return [np.asarray(own, dtype=np.float64) for own in sums]

    def _at_outputs(self, tick: int, lanes: int, network: gradients.Pass) -> Tensor | None:
        """Record the tick's losses; return the gradient at the outputs of their share in the window's mean.

        Of several processes each does so for its own rows; None where it has none.
        """
        if self._tokens:
            inputs, wanted = self._sequences.at(tick, lanes)
        else:
            inputs, wanted = self._inputs.at(tick, lanes), self._wanted.at(tick, lanes)
        if self._augmentation:
            self._augmentation.apply(inputs)
        masks = self._masks.at(tick, lanes) if self._masks is not None else None
        if masks and self._length:  # of shorter sequences
            masks = [mask[:, :, : self._length] for mask in masks]
        share = self._share[tick, :lanes]
        rows = real = share.shape[1]
        if self._network.ragged:  # such networks have one lane only, and take no padding
            real = int((share > 0).sum())
        own = self._ranks.part(real, least=2 if self._network.ragged else 1)
        if own.start == own.stop:
            return None
        if own.stop - own.start < rows:
            inputs, wanted, share = inputs[:, own], wanted[:, own], share[:, own]
            masks = masks and [mask[:, own] for mask in masks]
        outputs = network.forward(inputs, masks).flatten(1, -2)
        outputs = outputs.float() if self._bfloat16 else outputs
        if self._tokens:
            return self._at_tokens(tick, inputs, outputs, wanted.flatten(1), share, own)
        if self._own_loss is not None:
            each, gradient = losses.users(outputs, wanted.flatten(1), self._own_loss)
        else:
            each, gradient = self._of_samples(outputs, wanted)
        self._record[tick, :lanes, own] = each
        return gradient.mul_(share.unsqueeze(2))

    def _at_tokens(
        self, tick: int, inputs: Tensor, outputs: Tensor, targets: Tensor, share: Tensor, own: slice
    ) -> Tensor:
        """The same where each token of a sample [K, B * positions] may have a target."""
        lanes, real = share.shape
        if self._own_loss is not None:
            each, gradient = losses.users(outputs, targets.clamp(min=0), self._own_loss)
        else:
            each, gradient = self._loss.of_tokens(outputs, targets)
        if isinstance(self._teacher, TokenTeacher):
            taught, pull = self._teacher.taught(outputs, inputs)
            each = torch.lerp(each, taught, self._teacher.weight)
            gradient = torch.lerp(gradient, pull, self._teacher.weight)
        has = targets != IGNORED
        self._record[tick, :lanes, own] = each.masked_fill(~has, 0.0).view(lanes, real, -1).sum(dim=2)
        weight = share.repeat_interleave(targets.shape[1] // real, dim=1) * has
        return gradient.mul_(weight.unsqueeze(2))

    def _step(self, tick: int, weights: Tensor, gradient: Tensor) -> None:
        if self._meter.needed:
            self._meter.window(tick, gradient)
        if self.statistics is not None:
            self.statistics.step(tick, gradient)
        self._done[: len(weights)].add_(self._stepping[tick, : len(weights)])
        self._penalties.before(tick, weights, gradient)
        for at, rate in self._steps[tick]:
            self._updates[at](rate)
            self._lanes[at].stepped()
