"""The order in which examples are drawn: a function of seed and count, so that resuming it is one number."""

import torch

from nacre.data.dataset import Data
from nacre.errors import NacreError
from nacre.game import Batch


class Loader:
    """Endless batches of one data set, in a fresh seeded order every epoch.

    The order depends only on the seed and on how many batches were drawn. With several processes each takes its own
    slice of every batch, so together they draw what one process would.

    Args:
        data: What to draw from.
        batch_size: Examples per batch, over all processes together; what is left of an epoch fills no batch.
        seed: Seed of the order.
        device: Where batches are delivered; data in memory moves there once.
        rank: This process.
        world: The number of processes.
    """

    def __init__(
        self, data: Data, batch_size: int, seed: int, device: torch.device, rank: int = 0, world: int = 1
    ) -> None:
        if batch_size > len(data):
            raise NacreError(
                f"a batch of {batch_size} is larger than the data ({len(data)} examples); use --batch-size {len(data)}."
            )
        if batch_size % world:
            raise NacreError(f"a batch of {batch_size} cannot be shared by {world} processes; make it a multiple.")
        self.data = data.to(device)
        self.batch_size = batch_size
        self.seed = seed
        self.device = device
        self.drawn = 0
        self.slice = slice(rank * batch_size // world, (rank + 1) * batch_size // world)
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def next(self) -> Batch:
        """The next batch."""
        epoch, place = divmod(self.drawn, len(self.data) // self.batch_size)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            order = torch.randperm(len(self.data), generator=generator, pin_memory=self.device.type == "cuda")
            self._order = order.to(self.device, non_blocking=True)
            self._epoch = epoch
        self.drawn += 1
        start = place * self.batch_size
        batch = self.data.batch(self._order[start + self.slice.start : start + self.slice.stop])
        if self.device.type != "cpu":
            batch = Batch({k: v.to(self.device, non_blocking=True) for k, v in batch.items()})
        return batch
