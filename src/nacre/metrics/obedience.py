"""Whether samples have the labels and attributes they were asked to have."""

from torch import Tensor

from nacre.data import attributes
from nacre.metrics.context import Context
from nacre.metrics.intervals import of_mean, of_share
from nacre.metrics.result import Result

CHEAP = False


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not context.model.can("sample") or not context.conditional:
        return "its samples were not asked for anything"
    if judged_labels(context) or measured(context):
        return ""
    return "no classifier judges its labels and no measure its attributes"


def judged_labels(context: Context) -> bool:
    """Whether the labels asked for can be held against those that the data's classifier sees."""
    return "y" in context.drawn and context.extractor_named("data").classifier is not None


def measured(context: Context) -> list[str]:
    """The attributes asked for that can be measured of the samples."""
    return [name for name in context.train.spec.attributes if "a" in context.drawn and name in attributes.MEASURES]


def of_labels(context: Context) -> Result:
    """The share of samples that the classifier gives the label they were asked for, beside that of real examples."""
    extract = context.extractor_named("data")
    assert extract.classifier is not None
    labels: Tensor = context.drawn.y
    right = (extract.classifier.classify(context.generated).argmax(1).cpu() == labels).double()
    return Result(
        "label_obeyed",
        float(right.mean()),
        "share of samples",
        "higher",
        context.protocol("labels by the classifier", n_generated=len(right), features=extract.name),
        interval=of_share(float(right.mean()), len(right)),
        references={"held-out examples": extract.classifier.accuracy(context.real)} if "y" in context.real else {},
        details={
            "by_class": {
                name: float(right[labels == i].mean())
                for i, name in enumerate(context.train.spec.classes)
                if (labels == i).any()
            }
        },
    )


def of_attribute(context: Context, name: str) -> Result:
    """The mean error of an attribute, |measured - asked|, by the mean absolute value of what was asked.

    An attribute whose values lie about 0 is held against its range instead, between the 2.5 % and the 97.5 % quantile.
    """
    column = context.train.spec.attributes.index(name)
    asked = context.drawn.a[:, column].double()
    known = asked.isfinite()
    asked, found = asked[known], attributes.measure(context.generated[known], [name])[:, 0].double()
    low, high = asked.quantile(0.025), asked.quantile(0.975)
    about_zero = bool(low < 0 < high)
    unit = high - low if about_zero else asked.abs().mean()
    error = (found - asked).abs() / unit
    chance = (asked - asked.median()).abs().mean() / unit
    return Result(
        f"{name}_error",
        float(error.mean()),
        "of its range" if about_zero else "of its mean",
        "lower",
        context.protocol(f"{name} measured of every sample", n_generated=len(error)),
        interval=of_mean(error),
        references={"always the median": float(chance)},
        details={"unit": float(unit)},
    )


def measure(context: Context) -> list[Result]:
    """`label_obeyed`, then the error of every attribute that can be measured."""
    labels = [of_labels(context)] if judged_labels(context) else []
    return labels + [of_attribute(context, name) for name in measured(context)]
