"""A classifier: any trunk with a linear head, trained by the same engine as the generative models."""

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least, share
from nacre.game import Batch, Phase, Turn
from nacre.model import Model, inference
from nacre.nets.mlp import mlp


class Classifier(Model):
    """Minimise the cross-entropy of the labels, -log softmax(head(trunk(x)))[y].

    Args:
        spec: The data, with at least two classes.
        trunk: Maps examples (n, *shape) to features; those of more than one axis are flattened.
        frozen: Share of the steps in which only the head learns, in [0, 1]; the trunk joins in the others.
        hidden: Units of new ReLU layers between the trunk and the head's last layer.
        drop: Share of the features that are left out in every step of training (dropout), in [0, 1).
        drop_input: Share of the data's values that are left out likewise, in [0, 1).

    Shapes:
        embed: (n, *shape) -> (n, features). classify: (n, *shape) -> (n, classes), probabilities.

    Example:
        >>> import nacre
        >>> from torch import nn
        >>> from nacre.classifier import Classifier
        >>> data = nacre.load_data("digits")
        >>> Classifier(data.spec, nn.Flatten()).fit(data, steps=5, progress=False).classify(data.examples(3).x).shape
        torch.Size([3, 10])
    """

    title: ClassVar[str] = "Classifier"
    density: ClassVar[str] = "none"
    mixed: ClassVar[bool] = True
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "schedule": "cosine", "ema": 0.99}

    center: Tensor

    def __init__(
        self,
        spec: Spec,
        trunk: nn.Module,
        frozen: float = 0.0,
        hidden: tuple[int, ...] = (),
        drop: float = 0.0,
        drop_input: float = 0.0,
    ) -> None:
        super().__init__(spec)
        if len(spec.classes) < 2:
            raise NacreError("a classifier needs labels of at least two classes; give data that have them.")
        if not 0 <= frozen <= 1:
            raise NacreError(f"frozen is {frozen}; it must lie in [0, 1].")
        at_least(1, hidden=hidden)
        share(drop=drop, drop_input=drop_input)
        self.trunk, self.frozen, self.drop, self.drop_input = trunk, frozen, drop, drop_input
        self.register_buffer("center", torch.tensor(spec.center), persistent=False)
        with self.evaluating(), torch.no_grad():
            width = trunk(torch.zeros(1, *spec.shape)).numel()
        self.head = mlp([width, *hidden, len(spec.classes)]) if hidden else nn.Linear(width, len(spec.classes))

    def phases(self) -> list[Phase]:
        """First the head alone, then the trunk with it; a phase without a share is left out."""
        head, both = Phase("head", self.head_turns, self.frozen), Phase("all", self.turns, 1 - self.frozen)
        return [phase for phase in (head, both) if phase.share > 0]

    def head_turns(self) -> list[Turn]:
        """One turn: the head learns on fixed features."""
        return [Turn(self.head, self.error)]

    def turns(self) -> list[Turn]:
        """One turn: trunk and head learn together; a trunk without parameters has nothing to learn."""
        return [Turn((self.trunk, self.head) if list(self.trunk.parameters()) else self.head, self.error)]

    def error(self, batch: Batch) -> Tensor:
        """The cross-entropy in nats per example."""
        features = self.features(self.thinned(batch.x) if self.drop_input else batch.x)
        return cross_entropy(self.head(dropout(features, self.drop) if self.drop else features), batch.y)

    def thinned(self, x: Tensor) -> Tensor:
        """Examples of which a part is left out: 0 in images, missing in tables, else the middle of the column."""
        if self.spec.bounded:
            return dropout(x, self.drop_input)
        if self.spec.mixed:
            return x.masked_fill(torch.rand_like(x) < self.drop_input, torch.nan)
        return self.center + dropout(x - self.center, self.drop_input)

    def features(self, x: Tensor) -> Tensor:
        """The trunk's output as rows, differentiable: (n, *shape) -> (n, features)."""
        return self.trunk(x).flatten(1)

    @inference
    def embed(self, x: Tensor) -> Tensor:
        """The features, shape (n, features)."""
        return self.features(x)

    @inference
    def classify(self, x: Tensor) -> Tensor:
        """The probability of every class, shape (n, classes)."""
        return self.head(self.features(x)).softmax(1)

    def accuracy(self, data: Data | Batch) -> float:
        """The share of the examples whose most probable class is their label.

        Raises:
            NacreError: The data have a class, by its name, that the classifier does not know.
        """
        batch = data.examples() if isinstance(data, Data) else data
        y = batch.y.cpu()
        if isinstance(data, Data) and data.spec.classes != self.spec.classes:
            y = self.numbers_of(data.spec.classes)[y]
        return float((self.classify(batch.x).argmax(1).cpu() == y).float().mean())

    def numbers_of(self, names: tuple[str, ...]) -> Tensor:
        """The numbers that the classifier has for classes, int64 (classes,)."""
        for name in names:
            if name not in self.spec.classes:
                known = ", ".join(self.spec.classes)
                raise NacreError(f"the data have the class {name!r}; the classifier was trained on {known}.")
        return torch.tensor([self.spec.classes.index(name) for name in names])

    def save_pretrained(self, folder: str | Path) -> None:
        """Refused: a trunk may be any module, which no configuration describes."""
        raise NacreError(
            "a classifier is not saved as a model; keep its weights with torch.save(classifier.state_dict(), FILE)."
        )
