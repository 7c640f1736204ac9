"""Stacked digits: every channel of an image is a digit of its own, so that there are 10^k numbers to find."""

import hashlib
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.game import Batch

CHANNELS = {"stacked-mnist": 3, "stacked-mnist-2": 2}
COUNTS = {"train": 128_000, "test": 26_000}


class StackedData(Data):
    """Random digits as the channels of an image; the digits are stored once, and a batch looks its channels up.

    Metz et al. 2017 and later work train on 128,000 images of three MNIST digits and judge 26,000 samples.

    Args:
        digits: Labelled images of one channel.
        table: Which digit is which channel, int64 (n, k).
        name: What `load_data` takes to load it again.
        options: As for `Data`; without labels.
    """

    def __init__(self, digits: Data, table: Tensor, *, name: str = "", **options: Any):
        self.digits, self.table = digits, table
        channels, height, width = table.shape[1], *digits.spec.shape[1:]
        spec = replace(digits.spec, shape=(channels, height, width), classes=(), name=name)
        super().__init__(torch.empty(0), spec=spec, unit=digits.unit, name=name, **options)
        del self.x

    def __len__(self) -> int:
        return len(self.table)

    @property
    def device(self) -> torch.device:
        """Where the batches are made."""
        return self.table.device

    @property
    def storage(self) -> torch.dtype:
        """The type in which a value is stored."""
        return self.digits.storage

    def batch(self, index: Tensor) -> Batch:
        """The images of an index (n,), stacked now; see `Data.batch`."""
        rows = self.table.index_select(0, index)
        return Batch(x=self.digits.batch(rows.flatten()).x.view(len(index), *self.spec.shape))  # (n, k, h, w)

    def to(self, device: torch.device | str) -> "StackedData":
        """The same data on another device."""
        other = copy(self)
        other.digits, other.table = self.digits.to(device), self.table.to(device)
        return other

    def subset(self, index: Tensor) -> "StackedData":
        """The examples of an int64 index (n,) as a data set."""
        other = copy(self)
        other.__dict__.pop("fingerprint", None)
        other.table = self.table.index_select(0, index.to(self.device))
        return other

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of the digits' content and of the table."""
        digest = hashlib.sha256(self.digits.fingerprint.encode())
        digest.update(self.table.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]


def table(n_digits: int, channels: int, split: str, seed: int = 0) -> Tensor:
    """The digits that stand in each channel, drawn uniformly, int64 (n, channels).

    Args:
        n_digits: Digits to draw from.
        channels: Of a stack.
        split: "train" (128,000 stacks) or "test" (26,000).
        seed: Of the draws.
    """
    generator = torch.Generator().manual_seed(2 * seed + (split == "test"))
    return torch.randint(n_digits, (COUNTS[split], channels), generator=generator)
