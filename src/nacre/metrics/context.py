"""What all metrics of one evaluation share: the model's samples, the real examples and the features."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.model import Model

if TYPE_CHECKING:
    from nacre.metrics.features import Extractor

QUICK = 1_000
FEWEST_GENERATED = 2_000


@dataclass
class Context:
    """One evaluation of one model; whatever several metrics need is made once.

    Args:
        model: The model to judge.
        data: The data to judge it on; the test split is used where these are training data.
        n: The most real and the most generated examples; 1 or more.
        seed: Draws the examples and the samples.
        quick: Whether to spend little, as during training.
    """

    model: Model
    data: Data
    n: int = 10_000
    seed: int = 0
    quick: bool = False

    def __post_init__(self) -> None:
        if self.n < 2:
            raise NacreError(f"n is {self.n}; evaluate on at least 2 examples.")
        if self.data.spec.shape != self.model.spec.shape:
            raise NacreError(
                f"the data have shape {self.data.spec.shape} but the model was made for {self.model.spec.shape}; "
                f"evaluate it on data like those it was trained on."
            )
        self.n = min(self.n, QUICK) if self.quick else self.n

    @cached_property
    def held(self) -> Data:
        """The data to judge on: held-out wherever there are such."""
        return self.data if self.data.split != "train" else self.data.sibling("test") or self.data

    @cached_property
    def train(self) -> Data:
        """The training split, or the held data themselves where none is known."""
        return self.data if self.data.split == "train" else self.held.sibling("train") or self.held

    @cached_property
    def real(self) -> Batch:
        """At most n real examples, held out; a random subset, since a set may be sorted."""
        return Batch({name: value.cpu() for name, value in self.held.examples(self.n, self.seed).items()})

    @cached_property
    def generated(self) -> Tensor:
        """As many samples as there are real examples, but at least 2,000 and at most n, shape (m, *shape)."""
        x = self.model.sample(min(self.n, max(len(self.real), FEWEST_GENERATED)), seed=self.seed).cpu().float()
        if not torch.isfinite(x).all():
            raise NacreError("the model's samples hold NaN or infinite values; train it anew with a smaller lr.")
        return x

    @cached_property
    def extractor(self) -> "Extractor":
        """The features of these data."""
        from nacre.metrics.features import extractor

        return extractor(self.train)

    @property
    def where(self) -> str:
        """The data judged on, for protocols."""
        seen = {"train": " (seen in training)", "all": " (perhaps seen in training)"}.get(self.held.split, "")
        return f"{self.held.name or 'array'}:{self.held.split}{seen}"

    def protocol(self, what: str) -> str:
        """The protocol line of a result."""
        return f"{what}, seed {self.seed}"
