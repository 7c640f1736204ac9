"""Differentiable augmentation: what the discriminator sees of real and made examples alike is moved, tinted, cut."""

from typing import Literal

import torch
from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import NacreError, unknown

Kind = Literal["translation", "colour", "cutout"]
TARGET = 0.6
MIDDLE = 0.5  # of the data's range, which the augmentations take for 0
LENGTH = 100_000  # real examples over which p may rise from 0 to 1


class Augment(nn.Module):
    """Each augmentation with probability p, each example by its own draw, and with a gradient by the example.

    translation: by up to an eighth of each side, middle grey moving in. colour: brightness + U(-0.25, 0.25),
    saturation times U(0, 2), contrast times U(0.5, 1.5). cutout: middle grey in a rectangle of half of each side; black
    would look like a stroke that was never there, which the generator then leaves out. Values are in the data's units
    and may leave [0, 1]. In evaluation mode nothing is changed.

    With `adaptive`, p moves with the discriminator's overfitting r = E[sign(D(x))] on real examples: up where r is
    above 0.6, down below, by n / 100,000 for n examples, from 0. Of several processes each adapts to its own examples.

    Args:
        spec: The data, images.
        kinds: Which augmentations; all three if none is named.
        adaptive: Whether p adapts; else it is 1.

    Raises:
        NacreError: The data are no images, or there is no such augmentation.

    Reference:
        Zhao, Liu, Lin, Zhu, Han. Differentiable augmentation for data-efficient GAN training. 2020. arXiv 2006.10738.
        Karras et al. Training generative adversarial networks with limited data. 2020. arXiv 2006.06676 (adaptive).
    """

    p: Tensor

    def __init__(self, spec: Spec, kinds: tuple[Kind, ...] = (), adaptive: bool = False) -> None:
        super().__init__()
        if spec.kind != "image":
            raise NacreError(f"augmentation needs images, these data are {spec.kind}s; leave --augment out.")
        for kind in kinds:
            if kind not in KINDS:
                raise unknown("augmentation", kind, list(KINDS))
        self.kinds = kinds or tuple(KINDS)
        self.adaptive = adaptive
        self.register_buffer("p", torch.tensor(0.0 if adaptive else 1.0))

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, h, w)."""
        for kind in self.kinds if self.training else ():
            changed = KINDS[kind](x - MIDDLE) + MIDDLE
            if self.adaptive:
                chosen = torch.rand(len(x), 1, 1, 1, device=x.device) < self.p
                changed = torch.where(chosen, changed, x)
            x = changed
        return x

    @torch.no_grad()
    def adapt(self, scores: Tensor, n: int) -> None:
        """Move p by what the discriminator says of n real examples, one score for each or for each pack."""
        if self.adaptive:
            step = (scores.sign().mean() - TARGET).sign() * n / LENGTH
            self.p.copy_((self.p + step).clamp(0, 1))


def uniform(x: Tensor, low: float, high: float) -> Tensor:
    """One draw per example, (n, 1, 1, 1)."""
    return low + (high - low) * torch.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype)


def translation(x: Tensor) -> Tensor:
    """Moved by whole pixels, at most an eighth of each side; zeros move in."""
    n, _, h, w = x.shape
    rows = shifted(h, n, x)
    columns = shifted(w, n, x)
    moved = torch.cat([x, x.new_zeros(n, x.shape[1], 1, w)], 2)
    moved = moved.gather(2, rows[:, None, :, None].expand(-1, x.shape[1], -1, w))
    moved = torch.cat([moved, x.new_zeros(n, x.shape[1], h, 1)], 3)
    return moved.gather(3, columns[:, None, None, :].expand(-1, x.shape[1], h, -1))


def shifted(side: int, n: int, x: Tensor) -> Tensor:
    """Where every pixel of a side takes its value from, for each example, `side` where from nowhere: (n, side)."""
    most = max(1, round(side / 8))
    by = (torch.rand(n, 1, device=x.device) * (2 * most + 1)).floor().long() - most
    index = torch.arange(side, device=x.device)[None] + by
    return torch.where((index >= 0) & (index < side), index, side)


def colour(x: Tensor) -> Tensor:
    """Brightness, saturation (of images with several channels) and contrast."""
    x = x + uniform(x, -0.25, 0.25)  # half as much as in the paper, whose images span [-1, 1]
    if x.shape[1] > 1:
        grey = x.mean(1, keepdim=True)
        x = grey + (x - grey) * uniform(x, 0.0, 2.0)
    middle = x.mean((1, 2, 3), keepdim=True)
    return middle + (x - middle) * uniform(x, 0.5, 1.5)


def cutout(x: Tensor) -> Tensor:
    """Zeros in a rectangle of half of each side, whose middle may lie anywhere."""
    h, w = x.shape[2:]
    row, column = uniform(x, 0, h), uniform(x, 0, w)
    rows = torch.arange(h, device=x.device).view(1, 1, h, 1)
    columns = torch.arange(w, device=x.device).view(1, 1, 1, w)
    inside = ((rows + 0.5 - row).abs() < h / 4) & ((columns + 0.5 - column).abs() < w / 4)
    return x.masked_fill(inside, 0.0)


KINDS = {"translation": translation, "colour": colour, "cutout": cutout}
