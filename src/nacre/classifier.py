"""A classifier: any trunk with a linear head, and an autoencoder's layers reused as one (transfer).

It is trained by the same engine as the generative models.
"""

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least, share
from nacre.game import Batch, Phase, Turn
from nacre.model import Model, inference, seeded
from nacre.nets.mlp import mlp

STEPS, PER, GROWTH = 500, 100, 0.6
LR, FEW, SHARE_OF_FEW, SHARE_OF_MANY = 3e-3, 5_000, 0.1, 1 / 3


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


class Code(nn.Module):
    """The encoder of a model, differentiable: (n, *shape) -> (n, latent).

    Args:
        model: A model with `features`, which is taken over.
        drop: Share of what each layer of a stack says to the next that is left out in training, in [0, 1).
    """

    def __init__(self, model: Model, drop: float = 0.0) -> None:
        super().__init__()
        self.model = model
        for layer in list(stack_of(model) or ())[:-1]:
            cast(nn.Sequential, layer).append(nn.Dropout(drop))

    def forward(self, x: Tensor) -> Tensor:
        """The code of each example."""
        return self.model.features(x)


def transfer(
    model: Model,
    data: Any,
    *,
    labels: int | None = None,
    layers: int = 0,
    frozen: float = 0.3,
    hidden: tuple[int, ...] = (),
    drop: float = 0.5,
    drop_input: float = 0.0,
    seed: int = 0,
    **options: Any,
) -> Classifier:
    """Train a classifier whose lower layers are a copy of a model's encoder.

    In the first part of training the encoder is frozen and only the new layers learn; then the encoder is unfrozen and
    all layers learn together. The model itself is left as it is. Unless the options say otherwise there are
    500 (labels / 100)^0.6 steps, at least 500, on batches of 100, at a rate of 3e-3 for the new layers and of a tenth
    of theirs for the encoder, or a third with more than 5,000 labels: with few, the encoder knows more than they do.

    Args:
        model: A trained autoencoder.
        data: Labelled data, anything `load_data` takes.
        labels: How many labelled examples to use, drawn in equal numbers per class; all by default.
        layers: How many of the encoder's layers to reuse, from the data on, for models that are stacks; 0 takes all.
        frozen: Share of the steps before the encoder is unfrozen, in [0, 1]; 1 leaves it frozen.
        hidden: Units of new layers between the code and the classes.
        drop: Share of the code, and of what each layer of a stack says to the next, that is left out in every step of
            training (dropout), in [0, 1).
        drop_input: Share of the data's values that are left out likewise, in [0, 1); 0.3 suits images of 28 pixels.
        seed: Seed of the drawn examples, the new layers and the order.
        options: Training options, as `fit` takes them; `player_lr={"trunk": ...}` is the encoder's learning rate.

    Returns:
        The classifier; `accuracy(data)` says how good it is.

    Raises:
        NacreError: The model has no encoder that can be trained on, or the data have too few labels.
    """
    if labels is not None:
        at_least(1, labels=labels)
    if options.get("out") is not None:
        raise NacreError("transfer writes no run folder; leave out `out` and keep the classifier's state_dict().")
    from nacre.data.sources import load_data

    if type(model).features is Model.features:
        raise NacreError(f"{model.registered_name()} has no encoder to transfer; use ae, stacked-ae or vae.")
    source: Data = load_data(data)
    if source.y is None:
        raise NacreError("transfer needs labelled data; these have no labels.")
    _check_shape(model, source)
    if labels is not None:
        source = source.subset(balanced(source.y, len(source.spec.classes), labels, seed))
    options = {**usual(len(source), options.get("lr", LR)), **options}
    lower = lowest(copy.deepcopy(model).cpu(), layers)  # fit moves it to its device
    with seeded(seed):
        classifier = Classifier(source.spec, Code(lower, drop), frozen, hidden, drop, drop_input)
    return classifier.fit(source, seed=seed, **options)


def usual(labels: int, lr: float) -> dict[str, Any]:
    """The training options of `transfer` with so many labels, where the new layers learn at the rate `lr`."""
    return {
        "steps": round(STEPS * max(1.0, labels / PER) ** GROWTH),
        "batch_size": min(PER, labels),
        "lr": lr,
        "player_lr": {"trunk": lr * (SHARE_OF_FEW if labels <= FEW else SHARE_OF_MANY)},
        "progress": False,
    }


def _check_shape(model: Model, data: Data) -> None:
    if data.spec.shape != model.spec.shape:
        raise NacreError(f"the data have shape {data.spec.shape}; this model takes {model.spec.shape}.")


def lowest(model: Model, layers: int) -> Model:
    """The model with only the lowest layers of its encoder, or with all of them for 0.

    Raises:
        NacreError: Its encoder is no stack, or has fewer layers.
    """
    if not layers:
        return model
    stack = stack_of(model)
    if stack is None:
        raise NacreError(f"the encoder of {model.registered_name()} is no stack of layers; leave layers out.")
    if not 0 < layers <= len(stack):
        raise NacreError(f"layers is {layers}; this encoder has {len(stack)}.")
    model.encoder = stack[:layers]
    return model


def stack_of(model: Model) -> nn.Sequential | None:
    """The encoder as a sequence of layers, each a sequence itself; None where it is none."""
    encoder = getattr(model, "encoder", None)
    is_stack = isinstance(encoder, nn.Sequential) and all(isinstance(layer, nn.Sequential) for layer in encoder)
    return encoder if is_stack else None


@dataclass(frozen=True)
class Draw:
    """One draw of the labels.

    Args:
        seed: Which.
        accuracy: Of the classifier on the trained encoder, in [0, 1].
        random: Of the same network from random weights, in [0, 1].
    """

    seed: int
    accuracy: float
    random: float


@dataclass(frozen=True)
class FewLabels:
    """What transfer reached with a number of labels.

    Args:
        labels: How many.
        tested: Examples of the test.
        draws: Several draws of the labels.
    """

    labels: int
    tested: int
    draws: tuple[Draw, ...]

    @property
    def mean(self) -> float:
        """The mean accuracy over the draws, in [0, 1]."""
        return sum(draw.accuracy for draw in self.draws) / len(self.draws)

    @property
    def random(self) -> float:
        """The mean accuracy from random weights, in [0, 1]."""
        return sum(draw.random for draw in self.draws) / len(self.draws)

    @property
    def worst(self) -> Draw:
        """The draw of the lowest accuracy."""
        return min(self.draws, key=lambda draw: draw.accuracy)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the means and the worst draw among them."""
        return {
            **asdict(self),
            "mean": self.mean,
            "random": self.random,
            "gain": self.mean - self.random,
            "worst": asdict(self.worst),
        }


def few_labels(
    model: Model,
    data: Any,
    test: Any,
    *,
    labels: int | None = None,
    draws: int = 10,
    seed: int = 0,
    frozen: float = 0.3,
    report: Callable[[Draw], None] = lambda draw: None,
    **options: Any,
) -> FewLabels:
    """Transfer with several draws of the labels, each beside the same network from random weights.

    From random weights nothing is frozen and every layer has the same learning rate, since held-back random layers
    would only be worse. Both networks see the same labels, steps and order.

    Args:
        model: A trained autoencoder.
        data: Labelled data, anything `load_data` takes.
        test: Labelled data that are judged on.
        labels: How many labels in every draw; all by default.
        draws: How many draws, 1 or more.
        seed: The seed of the first draw; the others follow it.
        frozen: As for `transfer`.
        report: Called with every draw when it is done.
        options: What else `transfer` takes.
    """
    from nacre.data.sources import load_data
    from nacre.registry import create

    at_least(1, draws=draws)
    source, judge = load_data(data), load_data(test)
    if judge.y is None:
        raise NacreError("transfer is judged on labelled data; the test data have no labels.")
    _check_shape(model, source)
    found = []
    for number in range(seed, seed + draws):
        with seeded(number):
            fresh = create(model.registered_name(), model.spec, **model.hparams).to(model.device)
            fresh.begin(source)
        common = {**options, "labels": labels, "seed": number}
        trained = transfer(model, source, frozen=frozen, **common)
        untrained = transfer(fresh, source, frozen=0.0, **{**common, "player_lr": {}})
        found.append(Draw(number, trained.accuracy(judge), untrained.accuracy(judge)))
        report(found[-1])
    return FewLabels(len(source) if labels is None else labels, len(judge), tuple(found))


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
