"""Units that say the same whatever they see."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from nacre.engine.doctor.alarm import Ailment

if TYPE_CHECKING:
    from nacre.engine.doctor.checkup import Checkup

ENDS: dict[type[nn.Module], tuple[float, ...]] = {nn.ReLU: (0.0,), nn.Sigmoid: (0.0, 1.0), nn.Tanh: (-1.0, 1.0)}
TOLERANCE = 0.01
SHARE = 0.95


class Collector:
    """Which units of each activation were at one end of their range for all examples so far."""

    def __init__(self) -> None:
        self.stuck: dict[str, Tensor] = {}

    def note(self, name: str, module: nn.Module, _: Any, output: Tensor) -> None:
        """Take in the output of a call, (n, units, ...)."""
        low, high = output.flatten(2).amin(2) if output.dim() > 2 else output, output
        if output.dim() > 2:
            high = output.flatten(2).amax(2)
        low, high = low.amin(0), high.amax(0)
        tolerance = 0.0 if isinstance(module, nn.ReLU) else TOLERANCE
        stuck = torch.zeros_like(low, dtype=torch.bool)
        for end in ENDS[type(module)]:
            stuck |= (low >= end - tolerance) & (high <= end + tolerance)
        self.stuck[name] = self.stuck[name] & stuck if name in self.stuck else stuck

    def shares(self) -> dict[str, float]:
        """The share of such units in every layer that was called, in one transfer from the device."""
        values = torch.stack([stuck.float().mean() for stuck in self.stuck.values()]).tolist() if self.stuck else []
        return dict(zip(self.stuck, values, strict=True))


@contextmanager
def collecting(model: nn.Module, size: int) -> Iterator[Collector]:
    """Watch the activations inside; the hooks are gone after. An output of `size` values is an example, not a layer."""
    collector = Collector()

    def note(name: str, module: nn.Module, given: Any, output: Tensor) -> None:
        if output.dim() > 1 and output[0].numel() != size:
            collector.note(name, module, given, output.detach())

    hooks = [m.register_forward_hook(partial(note, name)) for name, m in model.named_modules() if type(m) in ENDS]
    try:
        yield collector
    finally:
        for hook in hooks:
            hook.remove()


class StuckUnits(Ailment):
    """A layer nearly all of whose units are dead (ReLU) or saturated (sigmoid, tanh) for every example."""

    name: ClassVar[str] = "dead or saturated units"
    advice: ClassVar[str] = "a smaller --lr, --warmup 0.05, or an activation such as leaky-relu or gelu"
    share: ClassVar[float] = 0.05

    def look(self, checkup: "Checkup") -> str:
        """The worst layer, from 95 % of its units on."""
        shares = checkup.stuck_units
        worst = max(shares, key=shares.__getitem__, default="")
        if not worst or shares[worst] < SHARE:
            return ""
        return f"{shares[worst]:.0%} of the units of {worst} give the same value for every example"
