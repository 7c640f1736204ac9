"""Between the data's own units and the units that networks like."""

import torch
from torch import Tensor, nn

from nacre.data.spec import Spec


class FromData(nn.Module):
    """Data in their own units -> values around 0 of size about 1: (x - center) / scale; images to [-1, 1].

    Args:
        spec: The units.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.register_buffer("center", torch.tensor(spec.center), persistent=False)
        self.register_buffer("scale", torch.tensor(spec.scale), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, *shape) -> (n, *shape)."""
        return (x - self.center) / self.scale


class ToData(FromData):
    """Unbounded network outputs -> the data's own units and shape.

    Where the data are bounded in [0, 1]: (1 + tanh(h)) / 2; else center + scale h.

    Args:
        spec: The units and the shape.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.bounded, self.shape = spec.bounded, spec.shape

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...) -> (n, *shape)."""
        h = x.view(len(x), *self.shape)
        return (torch.tanh(h) + 1) / 2 if self.bounded else h * self.scale + self.center


def unrounded(h: Tensor) -> Tensor:
    """What a network said in bf16 as float32, since sums of log-densities near 100 are spaced by half a nat in bf16."""
    return h.float() if h.dtype in (torch.bfloat16, torch.float16) else h
