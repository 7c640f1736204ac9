"""An autoencoder's layers reused in a classifier with few labels (transfer), beside the same from random weights."""

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from nacre.classifier import Classifier
from nacre.data.dataset import Data
from nacre.errors import NacreError, at_least
from nacre.model import Model, seeded

STEPS, PER, GROWTH = 500, 100, 0.6
LR, FEW, SHARE_OF_FEW, SHARE_OF_MANY = 3e-3, 5_000, 0.1, 1 / 3
MANY = 20_000  # labels, beyond which they know more than the encoder


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
    frozen: float | None = None,
    hidden: tuple[int, ...] = (),
    drop: float | None = None,
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
        frozen: Share of the steps before the encoder is unfrozen, in [0, 1]; 1 leaves it frozen. None takes 0.3, or
            0.05 with more than 20,000 labels.
        hidden: Units of new layers between the code and the classes.
        drop: Share of the code, and of what each layer of a stack says to the next, that is left out in every step of
            training (dropout), in [0, 1). None takes 0.5, or 0.25 with more than 20,000 labels.
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
    usually_frozen, usually_dropped = usual_shares(len(source))
    frozen = usually_frozen if frozen is None else frozen
    drop = usually_dropped if drop is None else drop
    options = {**usual(len(source), options.get("lr", LR)), **options}
    lower = lowest(copy.deepcopy(model).cpu(), layers)  # fit moves it to its device
    with seeded(seed):
        classifier = Classifier(source.spec, Code(lower, drop), frozen, hidden, drop, drop_input)
    return classifier.fit(source, seed=seed, **options)


def usual_shares(labels: int) -> tuple[float, float]:
    """The shares of the steps that `transfer` keeps the encoder frozen, and of the code it leaves out in each."""
    return (0.3, 0.5) if labels <= MANY else (0.05, 0.25)


def usual(labels: int, lr: float) -> dict[str, Any]:
    """The training options of `transfer` with so many labels, where the new layers learn at the rate `lr`."""
    return {
        "steps": round(STEPS * max(1.0, labels / PER) ** GROWTH),
        "batch_size": min(PER, labels),
        "lr": lr,
        "player_lr": {"trunk": lr * (SHARE_OF_FEW if labels <= FEW else SHARE_OF_MANY)},
        "progress": False,
        "doctor": "off",
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
    frozen: float | None = None,
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
