"""Two networks that grow level by level, each level twice the size of the one before."""

import math
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from nacre.data.spec import Spec
from nacre.nets.dcgan import halvings, widths
from nacre.nets.minibatch import MinibatchStd
from nacre.nets.mlp import activation
from nacre.nets.pyramid import enlarge, shrink, shrunk
from nacre.nets.scale import FromData, ToData

ROOT2 = math.sqrt(2)


def levels(spec: Spec, base: int) -> tuple[list[tuple[int, int]], list[int]]:
    """The sizes of the levels from about 4 x 4 up to the image, and the channels of each, `base` at the finest."""
    sizes = halvings(*spec.shape[1:])
    return sizes[::-1], widths(base, len(sizes))[::-1]


class EqualConv2d(nn.Conv2d):
    """A convolution of weights N(0, 1) that are multiplied by gain / sqrt(fan in) whenever they are used.

    Adam moves every weight by about its learning rate, whatever the weight's size; so scaled, all layers learn at the
    same speed. Karras et al. 2018, section 4.1.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        kernel: Its side, odd; the size of the map stays.
        gain: sqrt(2) where a rectifier follows, else 1.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, gain: float = ROOT2) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2)
        self.c = start(self, gain)

    def forward(self, input: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c', h, w)."""
        return conv2d(input, self.weight * self.c, self.bias, padding=self.padding)


class EqualLinear(nn.Linear):
    """A dense layer with weights scaled as in `EqualConv2d`.

    Args:
        inputs: Values in.
        outputs: Values out.
        gain: sqrt(2) where a rectifier follows, else 1.
        bias: Whether it has a bias.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = ROOT2, bias: bool = True) -> None:
        super().__init__(inputs, outputs, bias)
        self.c = start(self, gain)

    def forward(self, input: Tensor) -> Tensor:
        """(n, inputs) -> (n, outputs)."""
        return linear(input, self.weight * self.c, self.bias)


def start(layer: nn.Conv2d | nn.Linear, gain: float) -> float:
    """Draw weights N(0, 1) and biases 0; the factor of the weights, gain / sqrt(fan in)."""
    nn.init.normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return gain / math.sqrt(layer.weight[0].numel())


class PixelNorm(nn.Module):
    """Divide the channels of every pixel by their root mean square; parameter-free. Karras et al. 2018, section 4.2."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, ...) -> (n, c, ...)."""
        square = x.float().square().mean(1, keepdim=True)
        return x * (square + 1e-8).rsqrt().to(x.dtype)


class GrowingGenerator(nn.Module):
    """Latents -> images of a level; every level adds a block and has an output layer of its own.

    Args:
        spec: Images of any size.
        latent: Size of z, which is normalised first.
        base: Channels of the finest map.
    """

    def __init__(self, spec: Spec, latent: int, base: int) -> None:
        super().__init__()
        self.sizes, channels = levels(spec, base)
        (h, w), c = self.sizes[0], channels[0]
        self.stem = nn.Sequential(
            PixelNorm(), EqualLinear(latent, c * h * w, ROOT2 / 4), nn.Unflatten(1, (c, h, w)),
            *rectified(), *layer(c, c),
        )  # fmt: skip
        self.blocks = nn.ModuleList(nn.Sequential(*layer(a, b), *layer(b, b)) for a, b in pairwise(channels))
        self.to_image = nn.ModuleList(EqualConv2d(c, spec.shape[0], 1, gain=1) for c in channels)
        self.to_data = nn.ModuleList(ToData(replace(spec, shape=(spec.shape[0], *size))) for size in self.sizes)

    def forward(self, z: Tensor, level: int = -1, alpha: Tensor | float | None = None) -> Tensor:
        """(n, latent) -> (n, c, *sizes[level]).

        Args:
            z: The latents.
            level: Counted from 0, the coarsest; -1 is the finest.
            alpha: The weight of the level's own output while it fades in, the rest being the enlarged output of the
                level below; None is 1.
        """
        level %= len(self.sizes)
        h = below = self.stem(z)
        for block, size in zip(self.blocks[:level], self.sizes[1:], strict=False):
            below, h = h, block(enlarge(h, size))
        x = self.to_image[level](h)
        if level and alpha is not None:
            old = enlarge(self.to_image[level - 1](below), self.sizes[level])
            x = torch.lerp(old, x, weight(alpha, x))
        return self.to_data[level](x)


class GrowingDiscriminator(nn.Module):
    """Images of a level -> scores (n, 1), the mirror of `GrowingGenerator`.

    Args:
        spec: Images of any size.
        base: Channels of the finest map.
        compares: Whether the last block sees the deviation within the minibatch.
        bias: Whether the last layer has a bias.
    """

    def __init__(self, spec: Spec, base: int, compares: bool, bias: bool) -> None:
        super().__init__()
        self.sizes, channels = levels(spec, base)
        (h, w), c = self.sizes[0], channels[0]
        self.scale = FromData(spec)
        self.from_image = nn.ModuleList(
            nn.Sequential(EqualConv2d(spec.shape[0], c, 1), activation("leaky-relu")) for c in channels
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*layer(b, b, False), *layer(b, a, False)) for a, b in pairwise(channels)
        )
        self.head = nn.Sequential(
            *([MinibatchStd()] if compares else []), *layer(c + compares, c, False), nn.Flatten(),
            EqualLinear(c * h * w, c), activation("leaky-relu"), EqualLinear(c, 1, gain=1, bias=bias),
        )  # fmt: skip

    def forward(self, x: Tensor, level: int = -1, alpha: Tensor | float | None = None) -> Tensor:
        """(n, c, h, w) -> (n, 1).

        Args:
            x: Images of the level; larger ones are shrunk to its size.
            level: As the generator has it.
            alpha: Likewise.
        """
        level %= len(self.sizes)
        x = shrunk(self.scale(x), self.sizes[level])
        h = self.from_image[level](x)
        for i in range(level, 0, -1):
            h = shrink(self.blocks[i - 1](h))
            if alpha is not None and i == level:
                old = self.from_image[level - 1](shrink(x))
                h = torch.lerp(old, h, weight(alpha, h))
        return self.head(h)


def weight(alpha: Tensor | float, like: Tensor) -> Tensor:
    """Alpha as `torch.lerp` takes it."""
    return torch.as_tensor(alpha, dtype=like.dtype, device=like.device)


def layer(channels_in: int, channels_out: int, norm: bool = True) -> list[nn.Module]:
    """A 3 x 3 convolution, leaky ReLU, and pixel norm in the generator."""
    return [EqualConv2d(channels_in, channels_out, 3), *rectified(norm)]


def rectified(norm: bool = True) -> list[nn.Module]:
    """Leaky ReLU, and pixel norm in the generator."""
    return [activation("leaky-relu"), *([PixelNorm()] if norm else [])]
