"""Strided convolutions down to a small map and transposed ones back up, for images of any size."""

import math
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from nacre.nets.mlp import activation

Upsampling = Literal["transposed", "resize", "bilinear", "uneven"]


def halvings(height: int, width: int) -> list[tuple[int, int]]:
    """The sizes of the maps from the image down to about 4 x 4, each half of the one before, rounded up.

    28 x 28 -> 28, 14, 7, 4. Every layer halves exactly or is cropped, so no size needs a network of its own.
    """
    levels = max(1, round(math.log2(max(height, width) / 4)))
    sizes = [(height, width)]
    for _ in range(levels):
        h, w = sizes[-1]
        sizes.append((math.ceil(h / 2), math.ceil(w / 2)))
    return sizes


def widths(base: int, levels: int) -> list[int]:
    """Channels of the maps from the finest down: base, 2 base, 4 base, at most 8 base."""
    return [base * min(2**i, 8) for i in range(levels)]


class Down(nn.Module):
    """A convolution of kernel 4 and stride 2: (n, c, h, w) -> (n, c', ceil(h / 2), ceil(w / 2)).

    Args:
        channels_in: c.
        channels_out: c'.
        bias: Whether it has a bias.
    """

    def __init__(self, channels_in: int, channels_out: int, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 4, 2, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Halve the map; an odd side is padded by one first."""
        h, w = x.shape[-2:]
        return self.conv(pad(x, (0, w % 2, 0, h % 2)) if h % 2 or w % 2 else x)


class Up(nn.Module):
    """Double a map and crop it to its size: (n, c, h, w) -> (n, c', *size).

    The transposed convolution's kernel 4 is a multiple of its stride 2, so that every output sees as many inputs and
    no checkerboard is built in; "resize" takes the nearest neighbours and a 3 x 3 convolution instead, "bilinear" the
    means of neighbours. "uneven" is a transposed convolution of kernel 3, whose outputs see one, two or four inputs by
    turns: what not to do (Odena et al. 2016).

    Args:
        channels_in: c.
        channels_out: c'.
        size: The output's height and width, 2 h or 2 h - 1 and likewise for w.
        upsampling: One of the four.
        bias: Whether it has a bias.
    """

    def __init__(
        self, channels_in: int, channels_out: int, size: tuple[int, int], upsampling: Upsampling, bias: bool = True
    ) -> None:
        super().__init__()
        self.size, self.upsampling = size, upsampling
        if upsampling == "transposed":
            self.conv: nn.Module = nn.ConvTranspose2d(channels_in, channels_out, 4, 2, 1, bias=bias)
        elif upsampling == "uneven":
            self.conv = nn.ConvTranspose2d(channels_in, channels_out, 3, 2, 1, 1, bias=bias)
        else:
            self.conv = nn.Conv2d(channels_in, channels_out, 3, 1, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Double the map."""
        if self.upsampling == "resize":
            return self.conv(interpolate(x, size=self.size, mode="nearest"))
        if self.upsampling == "bilinear":
            return self.conv(interpolate(x, size=self.size, mode="bilinear", align_corners=False))
        return self.conv(x)[..., : self.size[0], : self.size[1]]


def conv_encoder(
    shape: tuple[int, ...],
    out: int,
    base: int = 64,
    act: str = "leaky-relu",
    norm: bool = False,
    bias_last: bool = True,
) -> nn.Sequential:
    """Images (n, c, h, w) -> (n, out): strided convolutions, no pooling, no dense hidden layer.

    Args:
        shape: (c, h, w).
        out: Outputs.
        base: Channels of the finest map.
        act: The activation's name.
        norm: Batch norm in every layer but the first and the last.
        bias_last: Whether the last layer has a bias.
    """
    layers, features = conv_layers(shape, base, act, norm)
    return nn.Sequential(*layers, nn.Linear(features, out, bias=bias_last))


def conv_layers(shape: tuple[int, ...], base: int, act: str, norm: bool) -> tuple[list[nn.Module], int]:
    """All layers of `conv_encoder` but the last, and how many values they give."""
    sizes = halvings(*shape[1:])[1:]
    channels = widths(base, len(sizes))
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(zip([shape[0], *channels], channels, strict=False)):
        normed = norm and i > 0
        layers += [Down(a, b, bias=not normed), *([nn.BatchNorm2d(b)] if normed else []), activation(act)]
    h, w = sizes[-1]
    return [*layers, nn.Flatten()], channels[-1] * h * w


def conv_decoder(
    latent: int,
    shape: tuple[int, ...],
    base: int = 64,
    act: str = "relu",
    norm: bool = False,
    upsampling: Upsampling = "transposed",
) -> nn.Sequential:
    """Latents (n, latent) -> unbounded images (n, c, h, w), the mirror of `conv_encoder`.

    Args:
        latent: Size of the latent.
        shape: (c, h, w).
        base: Channels of the finest map.
        act: The activation's name.
        norm: Batch norm in every layer but the last.
        upsampling: How maps are doubled; see `Up`.
    """
    sizes = halvings(*shape[1:])
    channels = widths(base, len(sizes) - 1)[::-1]
    h, w = sizes[-1]
    layers: list[nn.Module] = [
        nn.Linear(latent, channels[0] * h * w, bias=not norm),
        nn.Unflatten(1, (channels[0], h, w)),
    ]
    for a, b, size in zip(channels, [*channels[1:], shape[0]], sizes[-2::-1], strict=True):
        bias = not norm or size == sizes[0]  # a norm that follows would cancel it
        layers += [*([nn.BatchNorm2d(a)] if norm else []), activation(act), Up(a, b, size, upsampling, bias)]
    return nn.Sequential(*layers)


def initialise(module: nn.Module) -> None:
    """Weights N(0, 0.02^2), norms N(1, 0.02^2), biases 0, as DCGAN draws them; for `Module.apply`."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def orthogonal(module: nn.Module) -> None:
    """Orthogonal weights, biases 0, as Brock et al. 2019 draw them; for `Module.apply`."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.Embedding):
        nn.init.orthogonal_(module.weight)
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
