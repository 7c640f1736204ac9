"""Inception score: how sure a classifier is of each sample, and how evenly the samples spread over its classes."""

import torch
from torch import Tensor

from nacre.metrics import embedded
from nacre.metrics.context import Context
from nacre.metrics.features import Extractor
from nacre.metrics.intervals import around
from nacre.metrics.result import Result

CHEAP = False
SPLITS = 10


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    few = embedded.obstacle(context, least=2 * SPLITS)
    return few or ("" if judge(context).classify else "the data have no labels that a classifier was trained on")


def measure(context: Context) -> list[Result]:
    """The mean over splits of exp E KL(p(y|x) || p(y)): 1 at worst, the number of classes at best.

    It never sees a real example, and so neither a model that repeats one sample per class nor one of other data.
    The splits of the samples are as long as those of the held-out examples, since short ones score lower.

    Reference:
        Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen. Improved techniques for training GANs. 2016.
        Barratt, Sharma. A note on the inception score. 2018.
    """
    extract = judge(context)
    classify = extract.classify
    assert classify is not None
    real, generated = (classify(x).cpu().double() for x in (context.real.x, context.generated))
    size = min(len(real), len(generated)) // SPLITS
    scores = split_scores(generated, size, context.seed)
    value = float(scores.mean())
    references = {"real examples": float(split_scores(real, size, context.seed).mean())}
    if not context.quick:
        noised = classify(embedded.noisy(context.real.x, context.held.spec, context.seed)).cpu().double()
        references["noisy reals"] = float(split_scores(noised, size, context.seed).mean())
    classes = real.shape[1]
    whose = "the data's classifier" if extract.classifier else "Inception"
    method = f"classes by {whose}, {len(scores)} splits of {size}"
    warning = f"splits of {size} samples are short for {classes} classes, which lowers the inception score."
    return [
        Result(
            "inception_score",
            value,
            f"of {classes} classes",
            "higher",
            context.protocol(method, n_generated=len(generated), features=extract.name, resize=extract.resize),
            around(value, float(scores.std()) / len(scores) ** 0.5),
            references=references,
            warnings=(*extract.warnings, *([warning] if size < 10 * classes else [])),
            details={"interval": "sd over the splits"},
        )
    ]


def judge(context: Context) -> Extractor:
    """Whose classes are used: Inception's where its features were asked for, else those of the data's classifier."""
    return context.extractor_named("inception" if context.features == "inception" else "data")


def split_scores(probabilities: Tensor, size: int, seed: int) -> Tensor:
    """The scores of disjoint random splits, float64 (n // size,).

    Args:
        probabilities: Of the classes by example (n, classes), rows of sum 1.
        size: Examples in a split, 1 to n; those that are left over are not used.
        seed: Of the splits.
    """
    order = torch.randperm(len(probabilities), generator=torch.Generator().manual_seed(seed))
    rows = probabilities[order[: len(order) // size * size]].double()
    return torch.stack([score(split) for split in rows.split(size)])


def score(probabilities: Tensor) -> Tensor:
    """Exp of the mean KL(p(y|x) || p(y)), a number in [1, classes], where 0 log 0 = 0.

    Args:
        probabilities: p(y|x) by example (n, classes), float64.
    """
    marginal = probabilities.mean(0)
    return (torch.xlogy(probabilities, probabilities).sum(1).mean() - torch.xlogy(marginal, marginal).sum()).exp()
