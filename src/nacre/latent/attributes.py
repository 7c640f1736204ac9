"""Attributes of examples: the classes of labelled data, and anything that a function scores."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from nacre.data.attributes import MEASURES
from nacre.errors import NacreError, unknown
from nacre.latent.codes import Codes
from nacre.model import Model

if TYPE_CHECKING:
    from nacre.classifier import Classifier
    from nacre.data.dataset import Data

Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Attribute:
    """Something that an example has or has not.

    Args:
        name: What it is called.
        score: Examples (n, *shape) -> (n,).
        threshold: An example has the attribute if its score is above.
        label: The class it stands for, if it is one.
    """

    name: str
    score: Score
    threshold: float = 0.0
    label: int | None = None

    def present(self, x: Tensor) -> Tensor:
        """Which examples have it: (n, *shape) -> bool (n,)."""
        return self.score(x) > self.threshold

    def of_codes(self, model: Model, codes: Codes) -> Tensor:
        """Which codes have it, bool (n,): by their labels for a class, where they have any, else as decoded."""
        if self.label is not None and codes.y is not None:
            return codes.y == self.label
        return self.present(model.decode(codes.z)).to(codes.z.device)


def judge_of(train: "Data") -> "Classifier":
    """A small classifier of labelled data, trained once and cached.

    Raises:
        NacreError: The data have no labels of two classes or more.
    """
    from nacre.metrics.features import trained_classifier

    if train.y is None or len(train.spec.classes) < 2:
        raise NacreError("these data have no labels of two classes or more, so no classifier can judge; leave it out.")
    return trained_classifier(train)[0]


def class_attributes(train: "Data") -> dict[str, Attribute]:
    """The classes of labelled data by name, as the classifier of `judge_of` sees them.

    Raises:
        NacreError: The data have no labels of two classes or more.
    """
    classifier = judge_of(train)
    return {
        name: Attribute(name, partial(probability, classifier, label), 0.5, label)
        for label, name in enumerate(train.spec.classes)
    }


def probability(classifier: "Classifier", label: int, x: Tensor) -> Tensor:
    """The probability of one class: (n, *shape) -> (n,)."""
    return classifier.classify(x)[:, label]


def score_attribute(name: str, score: Score, x: Tensor) -> Attribute:
    """An attribute that the upper half of some examples have: the threshold is the median of their scores.

    Args:
        name: What it is called.
        score: Examples (n, *shape) -> (n,).
        x: The examples, shape (n, *shape).
    """
    return Attribute(name, score, float(score(x).median()))


def attribute(name: str, train: "Data", x: Tensor | None = None) -> Attribute:
    """An attribute by name: a class of the data, or a measure of images: ink, slant or thickness.

    Args:
        name: A class's name, or the measure's.
        train: The training data; for classes they need labels.
        x: Examples whose median is the measure's threshold, shape (n, *shape), such as a model's; by default the data.

    Raises:
        NacreError: There is no such attribute.
    """
    if name in train.spec.classes and train.y is not None:
        return class_attributes(train)[name]
    scores = MEASURES if train.spec.kind == "image" else {}
    if name in scores:
        return score_attribute(name, scores[name], train.examples(2_000).x if x is None else x)
    classes = train.spec.classes if train.y is not None else ()
    if not classes and not scores:
        raise NacreError(f"these data have no labels, so there is no {name!r} to go to; use a principal component.")
    raise unknown("attribute", name, [*classes, *scores])
