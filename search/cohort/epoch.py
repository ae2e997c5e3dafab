"""One epoch of several lanes, tick by tick: see ``cohort``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.search.cohort import losses, optimizers
from hpo.search.cohort.lane import Lane
from hpo.search.cohort.noise import Masks
from hpo.search.cohort.order import generator
from hpo.search.cohort.penalties import Penalties
from hpo.search.recipe import derive_seed


class Epoch:
    """The plan of an epoch, and its execution.

    ``ticks[k]`` falls with k, so at tick t the first ``active[t]`` lanes are at work.
    """

    def __init__(self, lanes: Sequence[Lane], matrices: Mapping[str, Tensor]) -> None:
        """Lay out the epoch.

        Args:
            lanes: longest epoch first.
            matrices: [lanes, size] by name; ``gradient`` is overwritten.
        """
        self._lanes = lanes
        self._matrices = matrices
        self._network = lanes[0].trial.network
        self._data = lanes[0].trial.data
        self._loss = lanes[0].trial.loss
        layouts = [lane.layout() for lane in lanes]
        ticks, micro, count = layouts[0].ticks, lanes[0].micro, len(self._data.train)
        self._active = [sum(cut.ticks > tick for cut in layouts) for tick in range(ticks)]
        index = np.zeros((ticks, len(lanes), micro), dtype=np.int64)
        share = np.zeros((ticks, len(lanes), micro))
        self._rates = np.zeros((ticks, len(lanes)))
        self._begins: list[list[int]] = [[] for _ in range(ticks)]
        self._steps: list[list[int]] = [[] for _ in range(ticks)]
        self._windows = [cut.window for cut in layouts]
        for at, (lane, cut) in enumerate(zip(lanes, layouts, strict=True)):
            order = generator(lane.trial.recipe.seed, "order", lane.epoch).permutation(count)
            index[: cut.ticks, at] = order[cut.places]
            share[: cut.ticks, at] = cut.real / cut.items[:, None]
            self._rates[np.flatnonzero(cut.ends), at] = lane.rates(cut.steps)
            for tick in np.flatnonzero(cut.begins).tolist():
                self._begins[tick].append(at)
            for tick in np.flatnonzero(cut.ends).tolist():
                self._steps[tick].append(at)
        device = self._data.device
        self._index = torch.from_numpy(index).to(device)
        self._share = torch.from_numpy(share).to(device, matrices["weights"].dtype)
        self._record = torch.zeros(ticks, len(lanes), dtype=self._share.dtype, device=device)
        self._stepping = torch.from_numpy(self._rates > 0).to(device, torch.float32)
        self._updates = [
            optimizers.bind({name: matrix[at] for name, matrix in matrices.items()}, lane.trial.recipe)
            for at, lane in enumerate(lanes)
        ]
        self._penalties = Penalties([lane.trial.recipe for lane in lanes], self._rates, self._network.decayed, device)
        rates = [lane.trial.network.rates for lane in lanes]
        self._masks: Masks | None = None
        if any(any(own) for own in rates):
            seeds = [(lane.trial.recipe.seed, lane.epoch) for lane in lanes]
            self._masks = Masks(seeds, rates, self._network.sites, micro, device)

    def train(self) -> list[NDArray[np.float64]]:
        """Run all ticks; return each lane's loss per optimizer step."""
        if not self._network.alone:
            return self._train()
        lane = self._lanes[0]  # such a network may draw from torch's own generator
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(lane.trial.recipe.seed, "forward", lane.epoch))
            return self._train()

    def _train(self) -> list[NDArray[np.float64]]:
        self._network.mode(training=True)
        weights, gradient = self._matrices["weights"], self._matrices["gradient"]
        lanes = 0
        for tick, active in enumerate(self._active):
            if active != lanes:
                lanes = active
                values = [view.detach().requires_grad_() for view in self._network.views(weights[:lanes])]
                slots = self._network.views(gradient[:lanes])
            gradients = self._backward(tick, lanes, values)
            if len(self._begins[tick]) == lanes:
                for slot, new in zip(slots, gradients, strict=True):
                    slot.copy_(new)
            else:
                for lane in self._begins[tick]:
                    gradient[lane].zero_()
                for slot, new in zip(slots, gradients, strict=True):
                    slot.add_(new)
            if self._steps[tick]:
                self._matrices["count"][:lanes].add_(self._stepping[tick, :lanes])
                self._penalties.before(tick, weights[:lanes], gradient[:lanes])
                for lane in self._steps[tick]:
                    self._step(lane, float(self._rates[tick, lane]))
        table = self._record.double().cpu().numpy()
        sums = [np.bincount(window, weights=table[: len(window), lane]) for lane, window in enumerate(self._windows)]
        return [np.asarray(own, dtype=np.float64) for own in sums]

    def _backward(self, tick: int, lanes: int, values: list[Tensor]) -> Sequence[Tensor]:
        """Record the tick's loss; return the gradient of its share in the window's mean."""
        train, index = self._data.train, self._index[tick, :lanes].flatten()
        inputs = train.inputs.index_select(0, index).view(lanes, -1, *self._data.shape)
        masks = self._masks.at(tick, lanes) if self._masks is not None else None
        share = self._share[tick, :lanes]
        if self._network.ragged:  # such networks have one lane only, and take no padding
            real = int((share > 0).sum())
            inputs, index, share = inputs[:, :real], index[:real], share[:, :real]
            masks = masks and [mask[:, :real] for mask in masks]
        outputs = self._network.forward(values, inputs, masks)
        with torch.no_grad():
            if self._loss is not None:
                each, gradient = losses.users(outputs, train.targets[index].view(lanes, -1), self._loss)
            else:
                wanted = train.wanted.index_select(0, index).view(lanes, -1, self._data.outputs)
                each, gradient = losses.loss_and_gradient(outputs, wanted, self._data.task)
            self._record[tick, :lanes] = (each * share).sum(dim=1)
        return torch.autograd.grad(outputs, values, gradient.mul_(share.unsqueeze(2)))

    def _step(self, at: int, rate: float) -> None:
        self._updates[at](rate)
        self._penalties.after(at, self._matrices["weights"][at], rate)
        self._lanes[at].step += 1
