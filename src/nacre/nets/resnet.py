"""Residual networks of GANs: pre-activation blocks that double or halve a map, for images of any size."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import interpolate

from nacre.nets.dcgan import halvings, widths
from nacre.nets.mlp import activation
from nacre.nets.pyramid import shrink


class UpBlock(nn.Module):
    """x -> upsampled(x) by a 1 x 1 convolution + conv(act(norm(conv(upsampled(act(norm(x))))))).

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        size: Height and width of the output, at most twice the input's; nearest neighbours.
        act: The activation's name.
        norm: Whether batch norm comes before the activations.
    """

    def __init__(self, channels_in: int, channels_out: int, size: tuple[int, int], act: str, norm: bool) -> None:
        super().__init__()
        self.size = size
        self.norm1 = nn.BatchNorm2d(channels_in) if norm else nn.Identity()
        self.norm2 = nn.BatchNorm2d(channels_out) if norm else nn.Identity()
        self.act = activation(act)
        bias = not norm  # the norms that follow, here and in later blocks, would cancel all of them
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, 1, 1, bias=bias)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=bias)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c', *size)."""
        h = self.conv1(interpolate(self.act(self.norm1(x)), size=self.size, mode="nearest"))
        h = self.conv2(self.act(self.norm2(h)))
        # a 1 x 1 convolution commutes with nearest neighbours, and is four times cheaper before them
        return h + interpolate(self.shortcut(x), size=self.size, mode="nearest")


class DownBlock(nn.Module):
    """x -> shrink(x by a 1 x 1 convolution) + shrink(conv(act(conv(act(x))))), by average pooling; odd sides round up.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        act: The activation's name.
        first: Whether x are the data themselves, which no activation may cut.
        halve: Whether the map is halved.
    """

    def __init__(self, channels_in: int, channels_out: int, act: str, first: bool = False, halve: bool = True) -> None:
        super().__init__()
        self.first, self.halve = first, halve
        self.act = activation(act)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, 1, 1)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c', ceil(h / 2), ceil(w / 2))."""
        h = self.conv2(self.act(self.conv1(x if self.first else self.act(x))))
        if not self.halve:
            return h + self.shortcut(x)
        return shrink(h) + self.shortcut(shrink(x))


class Decoder(nn.Module):
    """Latents (n, latent) -> unbounded images (n, c, h, w); see `res_decoder`."""

    def __init__(self, latent: int, shape: tuple[int, ...], base: int, act: str, norm: bool) -> None:
        super().__init__()
        sizes = halvings(*shape[1:])[::-1]
        channels = widths(base, len(sizes))[::-1]
        h, w = sizes[0]
        self.start = nn.Sequential(nn.Linear(latent, channels[0] * h * w), nn.Unflatten(1, (channels[0], h, w)))
        steps = zip(channels, channels[1:], sizes[1:], strict=False)
        self.blocks = nn.Sequential(*[UpBlock(a, b, size, act, norm) for a, b, size in steps])
        last = [nn.BatchNorm2d(channels[-1])] if norm else []
        self.end = nn.Sequential(*last, activation(act), nn.Conv2d(channels[-1], shape[0], 3, 1, 1))

    def forward(self, z: Tensor) -> Tensor:
        """(n, latent) -> (n, c, h, w)."""
        return self.end(self.blocks(self.start(z)))


class Encoder(nn.Module):
    """Images (n, c, h, w) -> features (n, features), summed over the last map; see `res_encoder`."""

    def __init__(self, shape: tuple[int, ...], base: int, act: str) -> None:
        super().__init__()
        levels = len(halvings(*shape[1:])) - 1
        channels = [shape[0], *widths(base, levels)]
        blocks = [DownBlock(a, b, act, first=i == 0) for i, (a, b) in enumerate(pairwise(channels))]
        self.blocks = nn.Sequential(*blocks, DownBlock(channels[-1], channels[-1], act, halve=False))
        self.act = activation(act)
        self.features = channels[-1]

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, features)."""
        return self.act(self.blocks(x)).sum((2, 3))


def res_decoder(latent: int, shape: tuple[int, ...], base: int = 64, act: str = "relu", norm: bool = True) -> Decoder:
    """A residual generator: latents (n, latent) -> unbounded images (n, c, h, w).

    A linear map to the coarsest map of about 4 x 4, one block per doubling, then norm, activation and a 3 x 3
    convolution. Gulrajani et al. 2017, appendix C; Miyato et al. 2018, appendix B.4.

    Args:
        latent: Size of the latent.
        shape: (c, h, w).
        base: Channels of the finest map; doubled at every halving, up to eightfold.
        act: The activation's name.
        norm: Batch norm before every activation.
    """
    return Decoder(latent, shape, base, act, norm)


def res_encoder(shape: tuple[int, ...], base: int = 64, act: str = "relu") -> Encoder:
    """A residual trunk: images (n, c, h, w) -> features (n, features), without a head.

    One block per halving, one more at the coarsest size, and a sum over its places. Miyato et al. 2018, appendix B.4.

    Args:
        shape: (c, h, w).
        base: Channels of the finest map; doubled at every halving, up to eightfold.
        act: The activation's name.
    """
    return Encoder(shape, base, act)
