"""The exponential moving average of the weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """An average of a model's float parameters; buffers are used as they are.

    a <- d a + (1 - d) p with d = min(decay, (1 + t) / (10 + t)): the ramp-up keeps the first weights from lingering.

    Args:
        model: The model whose parameters are averaged.
        decay: d in [0, 1); 0 keeps no average.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters: list[Tensor] = [p for p in model.parameters() if p.is_floating_point()] if decay else []
        self.values: list[Tensor] = []
        self.count = 0
        self.restart()

    @torch.no_grad()
    def restart(self) -> None:
        """Begin anew at the present weights, as at the start of a phase."""
        self.values = [p.detach().clone() for p in self.parameters]
        self.count = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take one step of training into the average."""
        if self.parameters:
            decay = min(self.decay, (1 + self.count) / (10 + self.count))
            torch._foreach_lerp_(self.values, self.parameters, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
            self.count += 1

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the model's weights and the average."""
        for value, parameter in zip(self.values, self.parameters, strict=True):
            value.data, parameter.data = parameter.data, value.data

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model holds the average inside."""
        self.swap()
        try:
            yield
        finally:
            self.swap()
