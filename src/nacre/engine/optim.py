"""Optimizers and schedules: the only file that knows torch.optim."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from nacre.engine.training import Training
from nacre.errors import unknown
from nacre.game import Turn


def schedule(kind: str, progress: float, warmup: float = 0.0) -> float:
    """The factor of the learning rate at `progress` in [0, 1) of a phase.

    constant: 1; linear: 1 - t; cosine: (1 + cos(pi t)) / 2, where t runs over what follows the warm-up.
    """
    if progress < warmup:
        return progress / warmup
    t = (progress - warmup) / (1 - warmup)
    return {"constant": 1.0, "linear": 1 - t, "cosine": (1 + math.cos(math.pi * t)) / 2}[kind]


class Slot:
    """One optimizer with the players that always move together, and the way its learning rate goes.

    Args:
        players: Players by name, in order; each is one parameter group.
        parameters: Their trainable parameters, likewise.
        training: The options.
        lazy: The k of the laziest turn that moves them. Such a turn adds one step to every k, so that Adam's rate and
            decays are corrected by c = k / (k + 1) (Karras et al. 2020, appendix B). Steps of the other rules grow
            with the loss, and k times the loss is the whole correction.
        name: The name of the optimizer state, as turns give it.
    """

    def __init__(
        self,
        players: Sequence[str],
        parameters: Sequence[list[nn.Parameter]],
        training: Training,
        lazy: int,
        name: str = "",
    ) -> None:
        self.name = name
        c = lazy / (lazy + 1) if lazy > 1 and training.optimizer.startswith("adam") else 1.0
        self.rates = [training.player_lr.get(name, training.lr) * c for name in players]
        self.training = training
        groups = [{"params": p, "lr": lr} for p, lr in zip(parameters, self.rates, strict=True) if p]
        self.rates = [group["lr"] for group in groups]
        betas = tuple(beta**c for beta in training.betas)
        decay = training.weight_decay
        kinds: dict[str, Any] = {
            "adam": lambda: torch.optim.Adam(groups, betas=betas, weight_decay=decay, fused=True),
            "adamw": lambda: torch.optim.AdamW(groups, betas=betas, weight_decay=decay, fused=True),
            "sgd": lambda: torch.optim.SGD(groups, lr=0, momentum=training.momentum, weight_decay=decay, fused=True),
            "rmsprop": lambda: torch.optim.RMSprop(groups, momentum=training.momentum, weight_decay=decay),
        }
        self.optimizer: torch.optim.Optimizer | None = kinds[training.optimizer]() if groups else None

    def schedule(self, progress: float) -> None:
        """Set the learning rate for `progress` in [0, 1) of the phase."""
        if self.optimizer is None or (self.training.schedule == "constant" and not self.training.warmup):
            return
        factor = schedule(self.training.schedule, progress, self.training.warmup)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    def step(self) -> None:
        """Move the parameters by their gradients."""
        if self.optimizer is not None:
            self.optimizer.step()

    def inherit(self, others: Sequence["Slot"]) -> None:
        """Take over what optimizers of the same name remember of these parameters."""
        known = {p: state for slot in others if slot.name == self.name and slot.optimizer
                 for p, state in slot.optimizer.state.items()}  # fmt: skip
        if self.optimizer is not None:
            for p in [p for group in self.optimizer.param_groups for p in group["params"] if p in known]:
                self.optimizer.state[p] = known[p]

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's state."""
        return self.optimizer.state_dict() if self.optimizer else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the optimizer's state."""
        if self.optimizer:
            self.optimizer.load_state_dict(state)


def make_slots(
    model: nn.Module, turns: Sequence[Turn], training: Training, trainable: Sequence[nn.Parameter]
) -> tuple[dict[str, Slot], list[list[Slot]]]:
    """The optimizers of a phase, and those that each turn steps.

    Every player has one state for all turns that move it, and another under another `optimizer` name. Players that
    always move together share one optimizer object, which is faster and the same arithmetic.
    """
    allowed = {id(p) for p in trainable}
    movers: dict[tuple[str, str], list[int]] = {}
    modules: dict[str, nn.Module] = {}
    for i, turn in enumerate(turns):
        for name, module in zip(player_names(model, turn), turn.modules, strict=True):
            movers.setdefault((turn.optimizer, name), []).append(i)
            modules[name] = module
    together: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for (optimizer, name), where in movers.items():
        together.setdefault((optimizer, tuple(where)), []).append(name)
    slots: dict[str, Slot] = {}
    members: list[list[Slot]] = [[] for _ in turns]
    for (optimizer, where), players in together.items():
        seen: set[int] = set()
        groups = []
        for name in players:
            group = [p for p in modules[name].parameters() if id(p) in allowed and id(p) not in seen]
            seen |= {id(p) for p in group}
            groups.append(group)
        lazy = max(turns[i].every for i in where) if len(where) > 1 else 1
        slot = Slot(players, groups, training, lazy, optimizer)
        slots["+".join(players) + (f":{optimizer}" if optimizer else "")] = slot
        for i in where:
            members[i].append(slot)
    return slots, members


def check_rates(training: Training, model: nn.Module) -> None:
    """Refuse a learning rate for a player that the model does not have.

    Raises:
        NacreError: The name is none of its modules'.
    """
    known = [name for name, module in model.named_modules() if name and list(module.parameters())]
    for name in training.player_lr:
        if name not in known:
            raise unknown("player", name, [name for name in known if "." not in name])


def player_names(model: nn.Module, turn: Turn) -> list[str]:
    """The names of a turn's players: their attribute paths in the model."""
    by_id = {id(module): name for name, module in reversed(list(model.named_modules()))}
    missing = [m for m in turn.modules if id(m) not in by_id]
    if missing:
        raise TypeError(f"turn {turn.name!r} moves a {type(missing[0]).__name__} that is not part of the model")
    return [by_id[id(module)] for module in turn.modules]
