"""The class that the samples neglect most, as the feature classifier sees them: it reveals collapse."""

import torch

from nacre.metrics.context import Context
from nacre.metrics.result import Result

CHEAP = True


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not context.model.can("sample"):
        return "it makes no samples"
    return "" if context.extractor.classifier else "the data have no labels that a classifier was trained on"


def measure(context: Context) -> list[Result]:
    """The least ratio over classes of samples' share to training examples' share: 1 at best, 0 for a lost class."""
    classifier = context.extractor.classifier
    assert classifier is not None and context.train.y is not None
    classes = context.data.spec.classes
    counts = classifier.classify(context.generated).argmax(1).cpu().bincount(minlength=len(classes))
    generated, real = counts / counts.sum(), context.train.y.cpu().bincount(minlength=len(classes)) / len(context.train)
    ratio = torch.where(real > 0, generated / real.clamp(min=1e-9), torch.inf)
    details = {
        "rarest": classes[int(ratio.argmin())],
        "smallest_share": float(generated.min()),
        "largest_share": float(generated.max()),
        "shares": dict(zip(classes, generated.tolist(), strict=True)),
        "real_shares": dict(zip(classes, real.tolist(), strict=True)),
    }
    protocol = context.protocol("classes by the classifier", n_generated=len(context.generated),
                                features=context.extractor.name)  # fmt: skip
    return [
        Result(
            "rarest_class",
            float(ratio.min()),
            "of its real share",
            "higher",
            protocol,
            references={"perfect": 1.0},
            details=details,
        )
    ]
