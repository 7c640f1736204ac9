"""Grey values for images that were binarized once, as their pixels' neighbours tell them."""

from copy import copy
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, conv2d, pad

from nacre.data.dataset import Data
from nacre.errors import NacreError
from nacre.game import Batch

REACH, CHANNELS = 2, 48
STEPS, BATCH, LR = 2_000, 128, 3e-3
LATTICE = REACH + 1  # pixels so far apart do not see each other


class SoftenedData(Data):
    """Binary images of which every training batch is drawn afresh from estimated grey values.

    A pixel is 1 with the probability (1 - soften) x + soften p, where p is what a small network says of it by the
    pixels around it. Whoever trains on few images that were binarized once sees the noise of that one draw in every
    epoch and learns it; `mnist-dynamic` has the grey values to draw anew, here they are estimated from the training
    images alone. `examples` gives the images as they are.

    Args:
        data: Images of nothing but 0 and 1.
        soften: In (0, 1].
    """

    def __init__(self, data: Data, soften: float) -> None:
        self.__dict__.update(data.__dict__)
        self.soften = soften

    def batch(self, index: Tensor) -> Batch:
        """The examples of an index (n,), drawn anew; see `Data.batch`."""
        batch = super().batch(index)
        grey = self.greys.index_select(0, index).to(batch.x.dtype) / 255
        batch.x = (torch.rand_like(grey) < grey).to(batch.x.dtype)
        return batch

    def examples(self, n: int | None = None, seed: int = 0) -> Batch:
        """A random subset as it is; see `Data.examples`."""
        return super().batch(self.choice(n, seed))

    def to(self, device: torch.device | str) -> "SoftenedData":
        """The same data on another device."""
        return SoftenedData(super().to(device), self.soften)._fresh()

    def subset(self, index: Tensor) -> "SoftenedData":
        """The examples of an index; their grey values are estimated from them alone."""
        return SoftenedData(super().subset(index), self.soften)._fresh()

    def _fresh(self) -> "SoftenedData":
        self.__dict__.pop("greys", None)
        return self

    @cached_property
    def greys(self) -> Tensor:
        """The grey values as 8 bits, uint8 like `x`; estimated when the first batch is drawn."""
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []), torch.enable_grad():
            torch.manual_seed(0)
            neighbours = Neighbours(self.spec.shape).to(self.device)
            neighbours.learn(self)
        return torch.cat(
            [
                (255 * torch.lerp(x, neighbours.probabilities(x), self.soften)).round().to(torch.uint8)
                for index in torch.arange(len(self), device=self.device).split(500)
                for x in (Data.batch(self, index).x,)
            ]
        )


class Neighbours(nn.Module):
    """P(pixel = 1 | the 24 pixels around it, its place), by a convolution that is blind in its middle.

    Args:
        shape: (c, h, w) of the images.
    """

    blind: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        side = 2 * REACH + 1
        self.around = nn.Conv2d(shape[0], CHANNELS, side)
        self.place = nn.Parameter(torch.zeros(CHANNELS, *shape[1:]))
        self.out = nn.Sequential(
            nn.GELU(), nn.Conv2d(CHANNELS, CHANNELS, 1), nn.GELU(), nn.Conv2d(CHANNELS, shape[0], 1)
        )
        blind = torch.ones(side, side)
        blind[REACH, REACH] = 0
        self.register_buffer("blind", blind)

    def forward(self, x: Tensor, top: int, left: int) -> Tensor:
        """The log-odds of every third pixel of every third row: (n, c, h, w) -> those of x[:, :, top::3, left::3]."""
        seen = pad(x, (REACH,) * 4)[:, :, top:, left:]
        found = conv2d(seen, self.around.weight * self.blind, self.around.bias, stride=LATTICE)
        return self.out(found + self.place[:, top::LATTICE, left::LATTICE])

    def learn(self, data: Data) -> None:
        """Maximise the likelihood of single pixels, in 2,000 steps of Adam on a random third of rows and columns."""
        optimizer = torch.optim.Adam(self.parameters(), LR)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        height, width = (min(LATTICE, side) for side in data.spec.shape[1:])
        for _ in range(STEPS):
            index = torch.randint(len(data), (min(BATCH, len(data)),), device=data.device)
            x = Data.batch(data, index).x
            top, left = int(torch.randint(height, ())), int(torch.randint(width, ()))
            loss = binary_cross_entropy_with_logits(self(x, top, left), x[:, :, top::LATTICE, left::LATTICE])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()

    @torch.no_grad()
    def probabilities(self, x: Tensor) -> Tensor:
        """What the neighbours say of every pixel, (n, c, h, w) -> the same."""
        p = torch.empty_like(x)
        for top in range(min(LATTICE, x.shape[2])):
            for left in range(min(LATTICE, x.shape[3])):
                p[:, :, top::LATTICE, left::LATTICE] = self(x, top, left).sigmoid()
        return p


def softened(data: Data, soften: float) -> Data:
    """The data with their training examples softened; those to judge by stay as they are.

    Raises:
        NacreError: The share is out of range, or the data are no binary images in memory.
    """
    if not 0 <= soften <= 1:
        raise NacreError(f"soften is {soften}; it must lie in [0, 1].")
    if not soften or data.split not in ("train", "all"):
        return data
    if type(data) is not Data or data.spec.kind != "image" or not data.spec.binary:
        raise NacreError("soften is for images of nothing but 0 and 1 in memory; leave it out.")
    return SoftenedData(copy(data), soften)
