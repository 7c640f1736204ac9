"""Convolutional networks with residual blocks behind every halving of the image, planned for any size."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from nacre.nets.mlp import activation, mlp
from nacre.nets.sizes import plan


class Residual(nn.Module):
    """X + conv(act(conv(act(x)))) with 3 x 3 kernels: (n, c, h, w) -> the same.

    Args:
        channels: c.
        act: The activation's name.
    """

    def __init__(self, channels: int, act: str) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        nn.init.zeros_(second.weight)  # the block begins as the identity, so that depth costs nothing at first
        self.inner = nn.Sequential(activation(act), first, activation(act), second)

    def forward(self, x: Tensor) -> Tensor:
        """Refine the map."""
        return x + self.inner(x)


def widths(base: int, maps: int) -> list[int]:
    """Channels of the maps from the finest down: base, 2 base, at most 4 base."""
    return [base * min(2**i, 4) for i in range(maps)]


def encoder(
    shape: Sequence[int], out: int, hidden: Sequence[int], base: int, act: str, blocks: int = 1, bias_last: bool = True
) -> nn.Sequential:
    """Images (n, *shape) -> (n, out): halvings, each followed by residual blocks, then dense layers.

    The first halving is of the image itself: a map of its own size would cost most and help least.

    Args:
        shape: Of an image, (c, h, w).
        out: Outputs.
        hidden: Units of the dense layers between the coarsest map and the outputs.
        base: Channels of the finest map.
        act: The activation's name.
        blocks: Residual blocks at every resolution.
        bias_last: Whether the last layer has a bias.
    """
    halvings = plan(*shape[1:])
    channels = widths(base, len(halvings))
    modules: list[nn.Module] = []
    for halving, (a, b) in zip(halvings, pairwise([shape[0], *channels]), strict=True):
        modules += [activation(act)] if modules else []
        modules += [nn.Conv2d(a, b, halving.kernel, halving.stride, halving.padding)]
        modules += [Residual(b, act) for _ in range(blocks)]
    height, width = halvings[-1].after
    dense = mlp([channels[-1] * height * width, *hidden, out], act, bias_last)
    return nn.Sequential(*modules, activation(act), nn.Flatten(), *dense)


def decoder(
    latent: int, shape: Sequence[int], hidden: Sequence[int], base: int, act: str, blocks: int = 1
) -> nn.Sequential:
    """Latents (n, latent) -> unbounded images (n, *shape): the mirror of `encoder`.

    Args:
        latent: Size of the latent.
        shape: Of an output, (c, h, w).
        hidden: Units of the encoder's dense layers, in its order.
        base: Channels of the finest map.
        act: The activation's name.
        blocks: Residual blocks at every resolution.
    """
    halvings = plan(*shape[1:])
    channels = widths(base, len(halvings))[::-1]
    height, width = halvings[-1].after
    modules: list[nn.Module] = [*mlp([latent, *reversed(hidden), channels[0] * height * width], act)]
    modules += [nn.Unflatten(1, (channels[0], height, width))]
    for halving, (a, b) in zip(reversed(halvings), pairwise([*channels, shape[0]]), strict=True):
        modules += [Residual(a, act) for _ in range(blocks)]
        modules += [activation(act), nn.ConvTranspose2d(a, b, halving.kernel, halving.stride, halving.padding)]
    return nn.Sequential(*modules)
