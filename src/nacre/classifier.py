"""A classifier: any trunk with a linear head, and an autoencoder's layers reused as one (transfer).

It is trained by the same engine as the generative models.
"""

import copy
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch, Phase, Turn
from nacre.model import Model, inference, seeded


class Classifier(Model):
    """Minimise the cross-entropy of the labels, -log softmax(head(trunk(x)))[y].

    Args:
        spec: The data, with at least two classes.
        trunk: Maps examples (n, *shape) to features; those of more than one axis are flattened.
        frozen: Share of the steps in which only the head learns, in [0, 1]; the trunk joins in the others.

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
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "schedule": "cosine", "ema": 0.99}

    def __init__(self, spec: Spec, trunk: nn.Module, frozen: float = 0.0) -> None:
        super().__init__(spec)
        if len(spec.classes) < 2:
            raise NacreError("a classifier needs labels of at least two classes; give data that have them.")
        if not 0 <= frozen <= 1:
            raise NacreError(f"frozen is {frozen}; it must lie in [0, 1].")
        self.trunk, self.frozen = trunk, frozen
        with self.evaluating(), torch.no_grad():
            width = trunk(torch.zeros(1, *spec.shape)).numel()
        self.head = nn.Linear(width, len(spec.classes))

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
        return cross_entropy(self.head(self.features(batch.x)), batch.y)

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
        """The share of the examples whose most probable class is their label."""
        batch = data.examples() if isinstance(data, Data) else data
        return float((self.classify(batch.x).argmax(1).cpu() == batch.y.cpu()).float().mean())


class Code(nn.Module):
    """The encoder of a model, differentiable: (n, *shape) -> (n, latent).

    Args:
        model: A model with `features`.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """The code of each example."""
        return self.model.features(x)


def transfer(
    model: Model, data: Any, *, labels: int | None = None, frozen: float = 0.3, seed: int = 0, **options: Any
) -> Classifier:
    """Train a classifier whose lower layers are a copy of a model's encoder.

    In the first part of training the encoder is frozen and only a new head learns; then the encoder is unfrozen and
    all layers learn together. The model itself is left as it is.

    Args:
        model: A trained autoencoder.
        data: Labelled data, anything `load_data` takes.
        labels: How many labelled examples to use, drawn in equal numbers per class; all by default.
        frozen: Share of the steps before the encoder is unfrozen, in [0, 1]; 1 leaves it frozen.
        seed: Seed of the drawn examples, the head and the order.
        options: Training options, as `fit` takes them.

    Returns:
        The classifier; `accuracy(data)` says how good it is.

    Raises:
        NacreError: The model has no encoder that can be trained on, or the data have too few labels.
    """
    from nacre.data.sources import load_data

    if type(model).features is Model.features:
        raise NacreError(f"{model.registered_name()} has no encoder to transfer; use ae, stacked-ae or vae.")
    source: Data = load_data(data)
    if source.y is None:
        raise NacreError("transfer needs labelled data; these have no labels.")
    if labels is not None:
        source = source.subset(balanced(source.y, len(source.spec.classes), labels, seed))
    usual = {"steps": 2_000, "batch_size": min(100, len(source)), "progress": False}
    with seeded(seed):
        classifier = Classifier(source.spec, Code(copy.deepcopy(model)), frozen)
    return classifier.fit(source, seed=seed, **{**usual, **options})


def balanced(y: Tensor, classes: int, n: int, seed: int) -> Tensor:
    """The indices of n examples, as many of every class as go, drawn with a seed.

    Raises:
        NacreError: A class has too few examples.
    """
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    chosen = []
    for label in range(classes):
        wanted = n // classes + (label < n % classes)
        found = order[y[order].cpu() == label][:wanted]
        if len(found) < wanted:
            raise NacreError(f"class {label} has {len(found)} examples, fewer than the {wanted} asked for.")
        chosen.append(found)
    return torch.cat(chosen)
