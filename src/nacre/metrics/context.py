"""What all metrics of one evaluation share: the model's samples, the real examples and the features."""

import inspect
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.errors import NacreError
from nacre.game import Batch
from nacre.latent.truncation import sample_truncated
from nacre.metrics.given import Given, with_classes
from nacre.metrics.result import Protocol
from nacre.model import Model, seeded

if TYPE_CHECKING:
    from nacre.metrics.embedded import Embedded
    from nacre.metrics.features import Extractor

QUICK = 1_000
FEWEST_GENERATED = 2_000


@dataclass
class Context:
    """One evaluation of one model; whatever several metrics need is made once.

    Args:
        model: The model to judge.
        data: The data to judge it on; the test split is used where these are training data.
        n: The most real and the most generated examples; 2 or more.
        seed: Draws the examples and the samples.
        quick: Whether to spend little, as during training.
        features: The extractor: "data", "pixels", "pca" or "inception"; see `nacre.metrics.features`.
        draws: Draws of the latent per example for likelihoods, 1 or more.
        labels: How many labels representations are judged with, 0 for all; none leaves it to the metric.
        pictures: A folder for the pictures that metrics draw, made when needed; without one none are drawn.
    """

    model: Model
    data: Data
    n: int = 10_000
    seed: int = 0
    quick: bool = False
    features: str = "data"
    draws: int = 100
    labels: tuple[int, ...] = ()
    pictures: Any = None
    extractors: dict[str, "Extractor"] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.n < 2:
            raise NacreError(f"n is {self.n}; evaluate on at least 2 examples.")
        if self.draws < 1:
            raise NacreError(f"draws is {self.draws}; it must be at least 1.")
        if any(count < 0 for count in self.labels):
            raise NacreError(f"labels are {self.labels}; give numbers of examples, or 0 for all.")
        if self.data.spec.shape != self.model.spec.shape:
            raise NacreError(
                f"the data have shape {self.data.spec.shape} but the model was made for {self.model.spec.shape}; "
                f"evaluate it on data like those it was trained on."
            )
        if self.conditional and self.model.spec.classes and self.data.spec.classes:
            self.data = with_classes(self.data, self.model.spec.classes)
        self.n = min(self.n, QUICK) if self.quick else self.n

    @cached_property
    def held(self) -> Data:
        """The data to judge on: held-out wherever there are such."""
        return self.data if self.data.split != "train" else self.data.sibling("test") or self.data

    @cached_property
    def train(self) -> Data:
        """The training split, or the held data themselves where none is known."""
        return self.data if self.data.split == "train" else self.held.sibling("train") or self.held

    @property
    def has_train(self) -> bool:
        """Whether there are training examples apart from the held ones."""
        return self.train is not self.held

    @cached_property
    def real(self) -> Batch:
        """At most n real examples, held out, in random order, since a set may be sorted and some take the first few."""
        return draw_examples(self.held, self.n, self.seed)

    @cached_property
    def train_real(self) -> Batch:
        """At most n training examples, or at least 2,000 where so many are needed, drawn at random."""
        return draw_examples(self.train, self.size, self.seed)

    @property
    def size(self) -> int:
        """How many samples are judged: as many as real examples, but at least 2,000 and at most n."""
        return min(self.n, max(len(self.real), FEWEST_GENERATED))

    @cached_property
    def drawn(self) -> Batch:
        """The samples to judge, with the labels `y` and attributes `a` they were asked for, if any."""
        return self.sample(self.size, self.seed)

    @cached_property
    def generated(self) -> Tensor:
        """The samples to judge, shape (size, *shape), or as many as were given."""
        return self.drawn.x

    @property
    def generated_labels(self) -> Tensor | None:
        """The labels that the samples were asked to have, int64; None for a model that takes none."""
        return self.drawn.get("y")

    @property
    def conditional(self) -> bool:
        """Whether the model's samples come with labels."""
        if isinstance(self.model, Given):
            return self.model.given.y is not None
        return "labels" in inspect.signature(type(self.model).sample).parameters

    def sample(self, n: int, seed: int, truncation: float | None = None) -> Batch:
        """N samples `x` on the CPU with the labels `y` and attributes `a` they were asked for.

        These are those of random training examples, as often as they occur there.

        Args:
            n: Samples.
            seed: Draws them.
            truncation: The largest absolute value of the noise, positive; None does not truncate it.

        Raises:
            NacreError: A sample is not finite, or the noise is to be truncated and is not normal.
        """

        def draw(**told: Any) -> Tensor:
            if truncation is None:
                return self.model.sample(n, seed=seed, **told)
            return sample_truncated(self.model, n, truncation, seed=seed, **told)

        asked: dict[str, Tensor] = {}
        if isinstance(self.model, Given):
            x, labels = self.model.sample(n, seed=seed), self.model.labels(n, seed)
            asked = {} if labels is None else {"y": labels}
        elif self.conditional:
            with seeded(seed):
                index = torch.randint(len(self.train), (n,))
            told = {"y": self.train.y, "a": self.train.a}
            asked = {name: values.cpu()[index] for name, values in told.items() if values is not None}
            keywords = {"y": "labels", "a": "attributes"}
            x = draw(**{keywords[name]: values for name, values in asked.items()})
        else:
            x = draw()
        x = x.cpu().float()
        missing = x.isnan() if self.data.spec.mixed else torch.zeros_like(x, dtype=torch.bool)
        if not (torch.isfinite(x) | missing).all():
            raise NacreError("the model's samples hold NaN or infinite values; train it anew with a smaller lr.")
        return Batch(x=x, **asked)

    @property
    def extractor(self) -> "Extractor":
        """The features that were asked for."""
        return self.extractor_named(self.features)

    def extractor_named(self, name: str) -> "Extractor":
        """An extractor of these data by name, made once."""
        from nacre.metrics.features import extractor

        if name not in self.extractors:
            self.extractors[name] = extractor(self.train, name)
        return self.extractors[name]

    @cached_property
    def embedded(self) -> "Embedded":
        """The features of the samples and of real examples, each computed once."""
        from nacre.metrics.embedded import Embedded

        return Embedded(self)

    @property
    def seen(self) -> str:
        """How the held data relate to training, in brackets; empty for held-out data."""
        if self.held.split == "train" or self.held.fingerprint in self.model.trained_on:
            return " (seen in training)"
        return " (perhaps seen in training)" if self.held.split == "all" else ""

    @property
    def resized(self) -> str:
        """The size that the data's images were brought to when they were loaded; empty if they were not."""
        sides = self.held.size
        return "x".join(map(str, (sides, sides) if isinstance(sides, int) else sides)) if sides else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What every metric that uses the held data should warn of."""
        if self.seen == " (seen in training)":
            return ("the model was trained on the very data it is judged by; give held-out data.",)
        return ()

    def protocol(
        self, method: str = "", *, n_real: int = 0, n_generated: int = 0, features: str = "", resize: str = ""
    ) -> Protocol:
        """The protocol of a result on the held data."""
        return Protocol(
            data=self.held.name or "array",
            split=f"{self.held.split}{self.seen}",
            n_real=n_real,
            n_generated=n_generated,
            resize=" then ".join(part for part in (self.resized, resize) if part),
            features=features,
            seed=self.seed,
            method=method,
        )


def draw_examples(data: Data, n: int, seed: int) -> Batch:
    """At most n examples on the CPU, in random order even where all are taken."""
    rows = {name: value.cpu() for name, value in data.examples(n, seed).items()}
    if n < len(data):
        return Batch(rows)
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    return Batch({name: value[order] for name, value in rows.items()})
