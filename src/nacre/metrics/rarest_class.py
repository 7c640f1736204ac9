"""The classes that the samples neglect and favour most, as the feature classifier sees them: they reveal collapse."""

import torch
from torch import Tensor

from nacre.metrics.context import Context
from nacre.metrics.intervals import of_share
from nacre.metrics.result import Result

CHEAP = True


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not context.model.can("sample"):
        return "it makes no samples"
    if context.extractor_named("data").classifier is None:
        return "the data have no labels that a classifier was trained on"
    return ""


def measure(context: Context) -> list[Result]:
    """The least and the greatest ratio over classes of samples' share to training examples' share; 1 is perfect.

    A lost class has 0. As the extremes of several ratios they differ from 1 for real examples too, which the reference
    lines show.
    """
    extract = context.extractor_named("data")
    classifier = extract.classifier
    assert classifier is not None and context.train.y is not None
    classes = context.data.spec.classes
    real = shares(context.train.y.cpu(), len(classes))
    generated, held = (
        shares(classifier.classify(x).argmax(1).cpu(), len(classes)) for x in (context.generated, context.real.x)
    )
    found = []
    for i, name in enumerate(("rarest_class", "commonest_class")):
        ratio, which = extremes(generated, real)[i]
        low, high = of_share(float(generated[which]), len(context.generated))
        found.append(
            Result(
                name,
                ratio,
                "of its real share",
                "lower" if i else "higher",
                context.protocol(
                    "classes by the data's classifier", n_generated=len(context.generated), features=extract.name
                ),
                (low / float(real[which]), high / float(real[which])),
                references={"real examples": extremes(held, real)[i][0], "perfect": 1.0},
                details={
                    "interval": "Wilson, of this class's share",
                    "class": classes[which],
                    "share": float(generated[which]),
                    "shares": dict(zip(classes, generated.tolist(), strict=True)),
                    "real_shares": dict(zip(classes, real.tolist(), strict=True)),
                },
            )
        )
    return found


def shares(y: Tensor, classes: int) -> Tensor:
    """The share of each class among labels (n,), float64 (classes,)."""
    return y.bincount(minlength=classes).double() / len(y)


def extremes(shares: Tensor, real: Tensor) -> list[tuple[float, int]]:
    """The least and the greatest ratio of shares to real shares over the classes that are real, each with its class."""
    ratio = shares / real.clamp(min=1e-9)
    least, most = torch.where(real > 0, ratio, torch.inf), torch.where(real > 0, ratio, -torch.inf)
    return [(float(least.min()), int(least.argmin())), (float(most.max()), int(most.argmax()))]
