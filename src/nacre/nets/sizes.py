"""The sizes of convolutions, and a plan of layers that halve an image of any size and double it back exactly."""

from dataclasses import dataclass
from itertools import pairwise

from nacre.errors import NacreError

Pair = tuple[int, int]


def conv_size(n: int, kernel: int, stride: int, padding: int) -> int:
    """The output of a convolution along one axis: floor((n + 2p - k) / s) + 1.

    Args:
        n: The input's size, at least k - 2p.
        kernel: k, 1 or more.
        stride: s, 1 or more.
        padding: p on either side, 0 or more.

    Reference:
        Dumoulin, Visin. A guide to convolution arithmetic for deep learning. 2016, relationship 6.
    """
    return (n + 2 * padding - kernel) // stride + 1


def transposed_size(n: int, kernel: int, stride: int, padding: int) -> int:
    """The output of a transposed convolution along one axis: s (n - 1) - 2p + k.

    Args:
        n: The input's size, 1 or more.
        kernel: k, 1 or more.
        stride: s, 1 or more.
        padding: p on either side, 0 or more.

    Reference:
        Dumoulin, Visin. A guide to convolution arithmetic for deep learning. 2016, relationship 14.
    """
    return stride * (n - 1) - 2 * padding + kernel


@dataclass(frozen=True)
class Halving:
    """A strided layer and its inverse: the transposed convolution of the same kernel gives exactly `before` back.

    Args:
        before: Height and width that go in.
        kernel: Of each axis.
        after: Height and width that come out.
        stride: Of both axes.
        padding: Of both axes.
    """

    before: Pair
    kernel: Pair
    after: Pair
    stride: int = 2
    padding: int = 1

    def __str__(self) -> str:
        one = self.before[0] == self.before[1]
        n, k, m = (f"{a}" if one else f"{a} x {b}" for a, b in (self.before, self.kernel, self.after))
        p, s = self.padding, self.stride
        if not one:
            return f"{n} -> {m} with kernel {k}, stride {s}, padding {p}, and back"
        return f"{n} -> floor(({n} + 2·{p} - {k}) / {s}) + 1 = {m};  back {s}·({m} - 1) - 2·{p} + {k} = {n}"


def plan(height: int, width: int, smallest: int = 5) -> list[Halving]:
    """The layers that halve an image until its shorter side would fall below `smallest`, at least one.

    An even side takes kernel 4 and an odd one kernel 3, both with stride 2 and padding 1: n -> n / 2 or (n + 1) / 2,
    and the transposed convolution gives n back without cropping or output padding.

    Args:
        height: Of the image, 2 or more.
        width: Of the image, 2 or more.
        smallest: The least side of the last map, 1 or more.

    Raises:
        NacreError: The image is too small to be halved.
    """
    if min(height, width) < 2:
        raise NacreError(f"an image of {height} x {width} cannot be halved; use a dense network.")
    sizes = [(height, width)]
    while len(sizes) == 1 or min((side + 1) // 2 for side in sizes[-1]) >= smallest:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return [Halving(before, (4 - before[0] % 2, 4 - before[1] % 2), after) for before, after in pairwise(sizes)]
