"""The networks of BigGAN: class-conditional batch norm, latents that enter at every block, self-attention."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from nacre.errors import NacreError
from nacre.nets.dcgan import halvings, orthogonal, widths
from nacre.nets.resnet import DownBlock

SMALLEST = 8  # the least side of a map for attention: a convolution sees most of a smaller one


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose gain and bias are linear in a condition: (1 + A c) (x - mean) / sd + B c.

    Args:
        channels: Of the maps.
        condition: Size of c, 1 or more.

    Shapes:
        (n, channels, h, w), (n, condition) -> (n, channels, h, w).

    Reference:
        de Vries et al. Modulating early visual processing by language. 2017. arXiv 1707.00683.
    """

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Linear(condition, channels, bias=False)
        self.bias = nn.Linear(condition, channels, bias=False)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Normalise, then scale and shift as the condition says."""
        return self.norm(x) * (1 + self.gain(c))[:, :, None, None] + self.bias(c)[:, :, None, None]


class SelfAttention(nn.Module):
    """Every place of a map sees every other: x + gamma W_o softmax(q k') v, with gamma = 0 at the start.

    Queries q and keys k have an eighth of the channels, values v a half; keys and values are max-pooled by 2.

    Args:
        channels: Of the map.

    Shapes:
        (n, channels, h, w) -> (n, channels, h, w).

    Reference:
        Zhang, Goodfellow, Metaxas, Odena. Self-attention generative adversarial networks. 2019. arXiv 1805.08318.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, half = max(1, channels // 8), max(1, channels // 2)
        self.query = nn.Conv2d(channels, narrow, 1, bias=False)
        self.key = nn.Conv2d(channels, narrow, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.out = nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Add what the other places say."""
        query = self.query(x).flatten(2)  # (n, d, h w)
        key = max_pool2d(self.key(x), 2, ceil_mode=True).flatten(2)
        value = max_pool2d(self.value(x), 2, ceil_mode=True).flatten(2)
        # Written out, since the fused kernels have no second derivative, which gradient penalties need.
        weights = (query.transpose(1, 2) @ key).softmax(2)
        seen = (value @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + self.gamma * self.out(seen)


class Block(nn.Module):
    """The residual block of the generator: as `resnet.UpBlock`, with conditional norms, which cancel all biases.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        size: Height and width of the output.
        condition: Size of the condition.
    """

    def __init__(self, channels_in: int, channels_out: int, size: tuple[int, int], condition: int) -> None:
        super().__init__()
        self.size = size
        self.norm1 = ConditionalBatchNorm(channels_in, condition)
        self.norm2 = ConditionalBatchNorm(channels_out, condition)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, bias=False)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """(n, c, h, w), (n, condition) -> (n, c', *size)."""
        h = self.conv1(interpolate(self.norm1(x, c).relu(), size=self.size, mode="nearest"))
        h = self.conv2(self.norm2(h, c).relu())
        return h + interpolate(self.shortcut(x), size=self.size, mode="nearest")


class BigGANGenerator(nn.Module):
    """Latents and labels -> unbounded images: residual blocks under class-conditional batch norm.

    With `skip_z`, z is cut into one chunk for the first layer and one for each block, where it joins the class's
    embedding, which all blocks share, as the condition of the norms. What has no condition at all gets a constant 1,
    which makes its norms ordinary ones.

    Args:
        latent: Size of z; with `skip_z` at least 1 more than the blocks, of which there is one per halving.
        shape: (c, h, w).
        classes: The classes' names or their number; empty or 0 for none.
        base: Channels of the finest map; doubled at every halving, up to eightfold.
        embedding: Size of the embedding of a class, 1 or more.
        skip_z: Whether a chunk of z enters at every block, else all of it at the first layer.
        attention: Self-attention at the middle one of the maps, if that is 8 wide or more.

    Shapes:
        z (n, latent), y int64 (n,) or None without classes -> (n, c, h, w).

    Raises:
        NacreError: The latent has too few values for all blocks.

    Reference:
        Brock, Donahue, Simonyan. Large scale GAN training for high fidelity natural image synthesis. 2019, appendix B.
        arXiv 1809.11096.
    """

    def __init__(
        self,
        latent: int,
        shape: tuple[int, ...],
        classes: tuple[str, ...] | int,
        base: int = 64,
        embedding: int = 128,
        skip_z: bool = True,
        attention: bool = True,
    ) -> None:
        super().__init__()
        count = classes if isinstance(classes, int) else len(classes)
        sizes = halvings(*shape[1:])
        channels = widths(base, len(sizes))
        levels = len(sizes) - 1
        if skip_z and latent <= levels:
            raise NacreError(
                f"latent is {latent}, too few to reach all {levels} blocks; use --latent {levels + 1} or more."
            )
        parts = levels + 1  # the first layer and the blocks
        even = [latent // parts + (i < latent % parts) for i in range(parts)]
        self.chunks = even if skip_z else [latent] + [0] * levels
        self.embed = nn.Embedding(count, embedding) if count else None
        told = embedding if count else 0
        self.constant = not told and not skip_z
        h, w = sizes[-1]
        self.start = nn.Sequential(
            nn.Linear(self.chunks[0], channels[-1] * h * w), nn.Unflatten(1, (channels[-1], h, w))
        )
        self.blocks = nn.ModuleList(
            Block(channels[i + 1], channels[i], sizes[i], (told + chunk) or 1)
            for i, chunk in zip(reversed(range(levels)), self.chunks[1:], strict=True)
        )
        middle = attended(sizes) if attention else None
        # Block number levels - 1 - i ends at the map of sizes[i].
        self.attention = nn.ModuleList(
            SelfAttention(channels[i]) if i == middle else nn.Identity() for i in reversed(range(levels))
        )
        self.end = nn.Sequential(nn.BatchNorm2d(base), nn.ReLU(), nn.Conv2d(base, shape[0], 3, 1, 1))
        self.apply(orthogonal)

    def free(self) -> list[nn.Module]:
        """Layers whose size must not be fixed: the embedding that all blocks share, the norms of a constant condition.

        The first as in the authors' code; the second would all have gains and biases of one length for ever.
        """
        norms = [m for m in self.modules() if isinstance(m, ConditionalBatchNorm)] if self.constant else []
        embedding = [self.embed] if self.embed is not None else []
        return [*embedding, *(layer for norm in norms for layer in (norm.gain, norm.bias))]

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """The images (n, c, h, w), unbounded."""
        if self.embed is not None and y is None:
            raise NacreError("this generator draws examples of classes; give it labels.")
        told = [self.embed(y)] if self.embed is not None else []
        first, *chunks = z.split(self.chunks, 1)
        x = self.start(first)
        for block, attend, chunk in zip(self.blocks, self.attention, chunks, strict=True):
            parts = [*told, chunk] if chunk.shape[1] else told
            x = attend(block(x, torch.cat(parts, 1) if parts else z.new_ones(len(z), 1)))
        return self.end(x)


class BigGANDiscriminatorTrunk(nn.Module):
    """Images -> features, summed over the last map: residual blocks without norms, and self-attention.

    Args:
        shape: (c, h, w).
        base: Channels of the finest map; doubled at every halving, up to eightfold.
        attention: Self-attention at the middle one of the maps, if that is 8 wide or more.

    Shapes:
        (n, c, h, w) -> (n, features).

    Reference:
        Brock, Donahue, Simonyan. Large scale GAN training for high fidelity natural image synthesis. 2019, appendix B.
        arXiv 1809.11096.
    """

    def __init__(self, shape: tuple[int, ...], base: int = 64, attention: bool = True) -> None:
        super().__init__()
        sizes = halvings(*shape[1:])
        channels = [shape[0], *widths(base, len(sizes) - 1)]
        middle = attended(sizes) if attention else None
        layers: list[nn.Module] = []
        for i in range(len(sizes) - 1):
            layers.append(DownBlock(channels[i], channels[i + 1], "relu", first=i == 0))
            if i + 1 == middle:
                layers.append(SelfAttention(channels[i + 1]))
        self.layers = nn.Sequential(*layers, DownBlock(channels[-1], channels[-1], "relu", halve=False))
        self.features = channels[-1]
        self.apply(orthogonal)

    def forward(self, x: Tensor) -> Tensor:
        """The features (n, features)."""
        return self.layers(x).relu().sum((2, 3))


def attended(sizes: list[tuple[int, int]]) -> int | None:
    """The index of the middle one of the maps that blocks give, from the finest down; None where it is too small."""
    middle = max(1, (len(sizes) - 1) // 2)
    return middle if min(sizes[middle]) >= SMALLEST else None
