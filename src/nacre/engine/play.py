"""One turn, prepared once and played many times."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from nacre.engine import distributed
from nacre.engine.optim import Slot, player_names
from nacre.engine.training import Training
from nacre.errors import NacreError
from nacre.game import Batch, PerPlayer, Turn
from nacre.model import Model

NORMS = (nn.modules.batchnorm._BatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


class DivergedError(NacreError):
    """A loss is no longer finite."""


class Play:
    """A turn with everything it needs: whom to freeze, which optimizers to step.

    Args:
        model: The model.
        turn: The turn.
        slots: The optimizers of its players.
        training: The options.
        trainable: The parameters that may move at all.
    """

    def __init__(
        self, model: Model, turn: Turn, slots: Sequence[Slot], training: Training, trainable: Sequence[nn.Parameter]
    ) -> None:
        self.turn = turn
        self.slots = slots
        self.players = player_names(model, turn)
        allowed = {id(p) for p in trainable}
        self.groups = {
            name: [p for p in module.parameters() if id(p) in allowed]
            for name, module in zip(self.players, turn.modules, strict=True)
        }
        self.moving = list({id(p): p for group in self.groups.values() for p in group}.values())
        moving = {id(p) for p in self.moving}
        self.resting = [p for p in trainable if id(p) not in moving]
        playing = {id(m) for module in turn.modules for m in module.modules()}
        self.resting_norms = [
            m for m in model.modules() if isinstance(m, NORMS) and m.track_running_stats and id(m) not in playing
        ]
        self.loss = torch.compile(turn.loss) if training.compile and turn.compile else turn.loss
        self.training = training
        self.device = model.device
        self.precision = working_precision(training.precision, self.device)
        self.check_now = model.device.type == "cpu" and distributed.world() == 1

    def activate(self) -> None:
        """Freeze everybody but the players. A frozen norm uses the batch's statistics and leaves its own alone."""
        for p in self.moving:
            p.requires_grad = True
        for p in self.resting:
            p.requires_grad = False
        for norm in self.resting_norms:
            norm.track_running_stats = False

    def deactivate(self) -> None:
        """Thaw what `activate` froze."""
        for p in self.resting:
            p.requires_grad = True
        for norm in self.resting_norms:
            norm.track_running_stats = True

    def __call__(self, batches: Sequence[Batch], step: int) -> list[tuple[str, Tensor]]:
        """Play once: compute the losses of the micro-batches, and move the players. Returns the named terms."""
        for p in self.moving:
            p.grad = None
        n = sum(len(batch) for batch in batches) if len(batches) > 1 else 1
        report: list[tuple[str, Tensor]] = []
        for batch in batches:
            weight = len(batch) / n if len(batches) > 1 else 1.0
            with self._precision():
                losses = self.loss(batch)
            terms = [(name, value * weight if weight != 1 else value) for name, value in named(losses, self.turn.name)]
            if self.check_now:
                self._refuse_non_finite(terms, step)
            self._differentiate(losses, terms, weight * self.turn.every)
            terms = [(name, value.detach()) for name, value in terms]
            report = terms if not report else [(k, a + b) for (k, a), (_, b) in zip(report, terms, strict=True)]
        distributed.average_gradients(self.moving)
        if self.training.clip:
            for group in self.groups.values():
                nn.utils.clip_grad_norm_(group, self.training.clip)
        for slot in self.slots:
            slot.step()
        if self.turn.after is not None:
            with torch.no_grad():
                self.turn.after()
            distributed.average([p for module in self.turn.modules for p in module.parameters()])
        return report

    def _precision(self) -> AbstractContextManager[Any]:
        if self.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def _differentiate(self, losses: Any, terms: list[tuple[str, Tensor]], factor: float) -> None:
        if isinstance(losses, PerPlayer):
            self._differentiate_per_player(losses, factor)
            return
        total = terms[0][1] if len(terms) == 1 else torch.stack([value for _, value in terms]).sum()
        if self.turn.every != 1:
            total = total * self.turn.every
        total.backward()

    def _differentiate_per_player(self, losses: PerPlayer, factor: float) -> None:
        if losses.keys() != self.groups.keys():
            wanted, got = ", ".join(self.groups), ", ".join(losses.keys())
            raise TypeError(f"turn {self.turn.name!r} returned PerPlayer({got}) but its players are {wanted}")
        for i, (name, loss) in enumerate(losses.items()):
            total = sum(loss.values(), torch.zeros((), device=self.device)) if isinstance(loss, dict) else loss
            group, last = self.groups[name], i == len(losses.keys()) - 1
            gradients = torch.autograd.grad(total * factor, group, retain_graph=not last, allow_unused=True)
            for p, g in zip(group, gradients, strict=True):
                if g is not None:
                    p.grad = g if p.grad is None else p.grad + g

    def _refuse_non_finite(self, terms: list[tuple[str, Tensor]], step: int) -> None:
        for name, value in terms:
            number = value.item()
            if not math.isfinite(number):
                raise diverged(self.turn.name, name, number, step)


def working_precision(precision: str, device: torch.device) -> str:
    """The precision asked for; float32 in place of bf16 on a CPU that only imitates it, many times slower."""
    capability = torch.backends.cpu.get_cpu_capability()
    imitated = device.type == "cpu" and not capability.startswith(("AVX512", "SVE"))
    return "float32" if imitated and precision == "bf16" else precision


def named(losses: Any, turn: str) -> list[tuple[str, Tensor]]:
    """The terms of a loss with their names; a loss that is one tensor has the turn's name."""
    if isinstance(losses, PerPlayer):
        return [
            (f"{player} {name}".rstrip(), value)
            for player, loss in losses.items()
            for name, value in (loss.items() if isinstance(loss, dict) else [("", loss)])
        ]
    return list(losses.items()) if isinstance(losses, dict) else [(turn, losses)]


def diverged(turn: str, term: str, value: float, step: int) -> DivergedError:
    """The error that names where a loss stopped being finite."""
    what = f"term {term!r} of turn {turn!r}" if term != turn else f"the loss of turn {turn!r}"
    return DivergedError(f"{what} is {value} at step {step}; try a smaller --lr, or --clip 1.")
