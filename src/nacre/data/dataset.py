"""Data sets: in memory as one tensor, or decoded batch by batch."""

import hashlib
import os
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nacre.data.images import EncodedImages
from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least
from nacre.game import Batch


def memory_limit() -> int:
    """How many bytes of decoded images are kept in memory: NACRE_MEMORY, or a quarter of the physical memory."""
    given = os.environ.get("NACRE_MEMORY")
    if not given:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    try:
        return int(float(given))
    except ValueError:
        raise NacreError(f"NACRE_MEMORY is {given!r}; set it to a number of bytes such as 8e9.") from None


class Data:
    """A data set in memory: one tensor in its storage type, where a batch is an index.

    Args:
        x: The examples (n, *spec.shape): uint8 for images, float32 for vectors and for 16-bit images.
        y: The labels (n,) int64, if there are any.
        spec: The shape, kind, classes and units.
        unit: The factor from stored to user values, x * unit; 1/255 for 8-bit images; positive.
        name: What `load_data` takes to load it again; empty for arrays.
        split: "train", "validation", "test" or "all".
        splits: The splits that the source has.
        density: The exact density of a toy set.
        notes: What a user should know of how it was loaded.
        size: The `size` that images were resized to, if they were.
        reload: Loads another split of the same source.
        label: The column that the labels are from, if they are from a table.
        columns: The columns that were kept, if not all.
        color: What the colours of images were brought to, if they were.
        files: The file of every example, where each has one.
        a: The attributes (n, len(spec.attributes)) float32, if there are any; NaN where one is unknown.
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor | None = None,
        *,
        spec: Spec,
        unit: float = 1.0,
        name: str = "",
        split: str = "all",
        splits: tuple[str, ...] = (),
        density: Any = None,
        notes: tuple[str, ...] = (),
        size: int | tuple[int, int] | None = None,
        reload: Callable[..., "Data"] | None = None,
        a: Tensor | None = None,
        label: str = "",
        columns: tuple[str, ...] = (),
        color: str = "",
        files: tuple[str, ...] = (),
    ):
        self.x, self.y, self.a, self.spec, self.unit = x, y, a, spec, unit
        self.name, self.split, self.splits, self.density, self.notes = name, split, splits, density, notes
        self.size, self.reload, self.label, self.columns = size, reload, label, columns
        self.color, self.files = color, files
        self.limit, self.soften, self.cut, self.seed = 0, 0.0, False, 0
        self.siblings: dict[str, Data] = {}

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name or 'array'}:{self.split}, n={len(self)}, shape={self.spec.shape})"

    @property
    def device(self) -> torch.device:
        """Where the batches are made."""
        return self.x.device

    @property
    def storage(self) -> torch.dtype:
        """The type in which a value is stored or decoded."""
        return self.x.dtype

    def batch(self, index: Tensor) -> Batch:
        """The examples of an index in user units: images lie in [0, 1].

        Args:
            index: int64 (n,) on the data's device.

        Shapes:
            `x` float32 (n, *spec.shape); `y` int64 (n,) if there are labels; `a` float32 (n, attributes) likewise.
        """
        return self._batch(self.x.index_select(0, index), index)

    def _batch(self, stored: Tensor, index: Tensor) -> Batch:
        x = stored.to(torch.float32)
        if self.unit != 1:
            x.mul_(self.unit)
        beside = {name: value for name, value in (("y", self.y), ("a", self.a)) if value is not None}
        return Batch(x=x, **{name: value.index_select(0, index) for name, value in beside.items()})

    def with_attributes(self, names: tuple[str, ...], values: Tensor) -> "Data":
        """The same data with numbers beside every example, for conditional models.

        Args:
            names: What they are called.
            values: Shape (n, len(names)); NaN where one is unknown.

        Raises:
            NacreError: The shape is another.
        """
        if tuple(values.shape) != (len(self), len(names)):
            raise NacreError(
                f"the attributes have shape {tuple(values.shape)}; {len(self)} examples with "
                f"{', '.join(names) or 'no names'} need ({len(self)}, {len(names)})."
            )
        other = copy(self)
        other.spec = replace(self.spec, attributes=names)
        other.a = values.float().to(self.device)
        return other

    def examples(self, n: int | None = None, seed: int = 0) -> Batch:
        """A random subset without replacement, or everything in its order if n is None or at least the length.

        Never the first n rows, since a set may be sorted by class.
        """
        return self.batch(self.choice(n, seed))

    def choice(self, n: int | None = None, seed: int = 0) -> Tensor:
        """The index that `examples` takes, int64 on the data's device."""
        at_least(0, n=0 if n is None else n)
        if n is None or n >= len(self):
            return torch.arange(len(self), device=self.device)
        return torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))[:n].to(self.device)

    def to(self, device: torch.device | str) -> "Data":
        """The same data on another device."""
        other = copy(self)
        other.x = self.x.to(device)
        other.y = None if self.y is None else self.y.to(device)
        other.a = None if self.a is None else self.a.to(device)
        return other

    def subset(self, index: Tensor) -> "Data":
        """The examples of an int64 index (n,) as a data set."""
        index = index.to(self.device)
        other = copy(self)
        other.__dict__.pop("fingerprint", None)
        other.x = self.x.index_select(0, index)
        other.files = tuple(self.files[i] for i in index.tolist()) if self.files else ()
        other.y = None if self.y is None else self.y.index_select(0, index)
        other.a = None if self.a is None else self.a.index_select(0, index)
        return other

    def sibling(self, split: str) -> "Data | None":
        """Another split of the same source on the same device, loaded once; None where there is none.

        Data that holds all of its source has no sibling, since none would be disjoint from it.
        """
        if self.reload is None or "all" in (split, self.split) or split not in self.splits:
            return None
        if split not in self.siblings:
            self.siblings[split] = self.reload(split=split)
        return self.siblings[split].to(self.device)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of the content, labels and shape, not of attributes: a key for caches."""
        return self._fingerprint(self.x.cpu().reshape(-1).numpy())

    def _fingerprint(self, content: Any) -> str:
        digest = hashlib.sha256(f"{len(self)} {self.spec.shape} {self.storage} {self.unit}".encode())
        digest.update(content)
        if self.y is not None:
            digest.update(self.y.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]


class BinarizedData(Data):
    """Grey images in memory of which every batch is binarized afresh: a value v in [0, 1] becomes 1 with probability v.

    A batch draws from the global generator, which checkpoints hold, so that a resumed run sees the same draws;
    `examples` draws from its own seed. Salakhutdinov & Murray 2008 trained on such draws ("dynamic binarization").
    """

    def batch(self, index: Tensor) -> Batch:
        """The examples of an index (n,), every value 0 or 1; see `Data.batch`."""
        batch = super().batch(index)
        batch.x = (torch.rand_like(batch.x) < batch.x).to(batch.x.dtype)
        return batch

    def examples(self, n: int | None = None, seed: int = 0) -> Batch:
        """A random subset binarized with the same seed; see `Data.examples`."""
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            return super().examples(n, seed)

    def _fingerprint(self, content: Any) -> str:
        return hashlib.sha256(f"binarized {super()._fingerprint(content)}".encode()).hexdigest()[:16]


class LazyData(Data):
    """A data set whose images are decoded batch by batch: the same interface, without `x`.

    Its fingerprint is that of the encoded files, so that it differs from the one of the same data in memory.

    Args:
        images: The encoded images.
        y: The labels (n,) int64, if there are any.
        options: As for `Data`.
    """

    def __init__(self, images: EncodedImages, y: Tensor | None = None, **options: Any):
        self.images = images
        self._device = torch.device("cpu")
        super().__init__(torch.empty(0), y, **options)
        del self.x

    def __len__(self) -> int:
        return len(self.images)

    @property
    def device(self) -> torch.device:
        """Where the batches are sent after decoding."""
        return self._device

    @property
    def storage(self) -> torch.dtype:
        """The type of a decoded value."""
        return torch.float32 if self.images.mode == "I;16" else torch.uint8

    def batch(self, index: Tensor) -> Batch:
        """The examples of an index (n,), decoded now; see `Data.batch`."""
        return self._batch(torch.from_numpy(self.images.decode(index.cpu().numpy())).to(self.device), index)

    def to(self, device: torch.device | str) -> "LazyData":
        """The same data, whose batches are sent to a device."""
        other = copy(self)
        other._device = torch.device(device)
        other.y = None if self.y is None else self.y.to(device)
        other.a = None if self.a is None else self.a.to(device)
        return other

    def subset(self, index: Tensor) -> "LazyData":
        """The examples of an int64 index (n,) as a data set."""
        other = copy(self)
        other.__dict__.pop("fingerprint", None)
        other.images = self.images.take(index.cpu().numpy())
        other.files = tuple(self.files[i] for i in index.tolist()) if self.files else ()
        other.y = None if self.y is None else self.y.index_select(0, index.to(self.y.device))
        other.a = None if self.a is None else self.a.index_select(0, index.to(self.a.device))
        return other

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of the encoded files (names, lengths, times), labels and shape."""
        return self._fingerprint(self.images.identity())
