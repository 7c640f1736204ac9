"""Samples without their model, to be judged like one."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.model import Model


class Given(Model):
    """A model that answers `sample` with examples it was given: an array, a folder of images, another data set.

    Args:
        spec: The data.
        samples: The examples, with labels where they have them.
    """

    title: ClassVar[str] = "Given samples"
    density: ClassVar[str] = "none"
    mixed: ClassVar[bool] = True

    def __init__(self, spec: Spec, samples: Data) -> None:
        super().__init__(spec)
        self.given = samples

    def sample(self, n: int, *, seed: int | None = None, **conditions: Any) -> Tensor:
        """A random subset of n of them, or all where there are fewer, shape (at most n, *shape)."""
        return self.given.examples(n, seed or 0).x

    def labels(self, n: int, seed: int = 0) -> Tensor | None:
        """The labels of what `sample` gives, int64 (at most n,), if there are any."""
        batch = self.given.examples(n, seed)
        return torch.as_tensor(batch.y) if "y" in batch else None

    @classmethod
    def registered_name(cls) -> str:
        """What messages call it."""
        return "samples"
