"""Whether a categorical code that was learned without labels tells the classes apart."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from nacre.metrics.context import Context
from nacre.metrics.intervals import of_share
from nacre.metrics.result import Result

CHEAP = True


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not getattr(context.model, "categories", ()):
        return "it has no categorical code"
    return "" if "y" in context.real else "the data have no labels"


def measure(context: Context) -> list[Result]:
    """The share of held-out examples whose most probable value of the first code is the one matched to their class.

    Values and classes are matched one to one so that this share is largest; the labels of the judged examples
    themselves decide the matching, as in the paper. The reference is the most frequent class alone.

    Reference:
        Chen et al. InfoGAN. 2016. arXiv 1606.03657.
    """
    model, y = context.model, context.real.y
    size: int = model.categories[0]  # pyright: ignore[reportIndexIssue, reportAssignmentType]  a tuple, not a module
    read: Tensor = model.codes(context.real.x)[:, :size].cpu()  # pyright: ignore[reportCallIssue]
    share = matched(read.argmax(1), y, size, len(context.train.spec.classes))
    return [
        Result(
            "clusters",
            share,
            "share of examples",
            "higher",
            context.protocol("first code matched to the classes one to one", n_real=len(y)),
            of_share(share, len(y)),
            references={"one class": float(y.bincount().max() / len(y))},
            warnings=context.warnings,
        )
    ]


def matched(codes: Tensor, classes: Tensor, n_codes: int, n_classes: int) -> float:
    """The share of examples in the best one-to-one matching of codes (n,) to classes (n,), both int64."""
    table = (codes * n_classes + classes).bincount(minlength=n_codes * n_classes).reshape(n_codes, n_classes)
    rows, columns = linear_sum_assignment(table.numpy(), maximize=True)
    return float(table[torch.from_numpy(rows), torch.from_numpy(columns)].sum() / len(codes))
