"""The class that the samples neglect most, as the feature classifier sees them: it reveals collapse."""

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
    """The least ratio over classes of samples' share to training examples' share: 1 at best, 0 for a lost class.

    As the least of several it lies below 1 for real examples too, which the reference line shows.
    """
    extract = context.extractor_named("data")
    classifier = extract.classifier
    assert classifier is not None and context.train.y is not None
    classes = context.data.spec.classes
    real = shares(context.train.y.cpu(), len(classes))
    generated, held = (
        shares(classifier.classify(x).argmax(1).cpu(), len(classes)) for x in (context.generated, context.real.x)
    )
    ratio, rarest = least_ratio(generated, real)
    low, high = of_share(float(generated[rarest]), len(context.generated))
    return [
        Result(
            "rarest_class",
            ratio,
            "of its real share",
            "higher",
            context.protocol(
                "classes by the data's classifier", n_generated=len(context.generated), features=extract.name
            ),
            (low / float(real[rarest]), high / float(real[rarest])),
            references={"real examples": least_ratio(held, real)[0], "perfect": 1.0},
            details={
                "interval": "Wilson, of the rarest class's share",
                "rarest": classes[rarest],
                "smallest_share": float(generated.min()),
                "largest_share": float(generated.max()),
                "shares": dict(zip(classes, generated.tolist(), strict=True)),
                "real_shares": dict(zip(classes, real.tolist(), strict=True)),
            },
        )
    ]


def shares(y: Tensor, classes: int) -> Tensor:
    """The share of each class among labels (n,), float64 (classes,)."""
    return y.bincount(minlength=classes).double() / len(y)


def least_ratio(shares: Tensor, real: Tensor) -> tuple[float, int]:
    """The least ratio of shares to real shares over the classes that are real, and its class."""
    ratio = torch.where(real > 0, shares / real.clamp(min=1e-9), torch.inf)
    return float(ratio.min()), int(ratio.argmin())
