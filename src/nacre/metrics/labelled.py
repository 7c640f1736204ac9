"""The task that representations are judged by: few labelled training examples, held-out test examples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nacre.metrics.context import Context
from nacre.metrics.intervals import of_mean, of_share
from nacre.metrics.probes import draw
from nacre.metrics.result import Result

COUNTS = (100, 1_000, 0)
DRAWS = {1_000: 5}


def label_obstacle(context: Context) -> str:
    """Why nothing can be classified: no labels, too many classes, or no training examples apart from the held ones."""
    if context.held.y is None or context.train.y is None:
        return "the data have no labels"
    if not context.has_train:
        return "there are no training examples apart from the held ones; give data with a test split"
    classes = len(context.train.spec.classes)
    return "" if 2 <= classes <= len(context.train) / 10 else f"{classes} classes of {len(context.train)} examples"


@dataclass(frozen=True)
class Task:
    """Training examples of which some labels are shown, and test examples.

    Args:
        x: Training examples (n, *shape).
        y: Their labels (n,).
        test_x: Held-out examples (m, *shape).
        test_y: Their labels (m,).
        classes: The number of classes.
        whole: How many training examples there are, n or more.
        counts: How many labels are shown, 0 for all.
    """

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int
    whole: int
    counts: tuple[int, ...]

    @classmethod
    def of(cls, context: Context) -> "Task":
        """At most n training examples of an evaluation and its real ones."""
        train = context.train.examples(context.n, context.seed)
        return cls(
            train.x.cpu(), train.y.cpu(), context.real.x, context.real.y,
            len(context.train.spec.classes), len(context.train), context.labels or COUNTS,
        )  # fmt: skip

    def draws(self, several: Mapping[int, int]) -> dict[str, list[Tensor]]:
        """The indices of the labelled examples, by name: several draws of few labels, and all once.

        Args:
            several: How many draws for up to so many labels; for more than any of them there is one.
        """
        found = {}
        for count in self.counts:
            if 0 < count < len(self.y):
                draws = next((n for most, n in sorted(several.items()) if count <= most), 1)
                found[str(count)] = [draw(self.y, count, seed) for seed in range(draws)]
            else:
                found["all"] = [torch.randperm(len(self.y), generator=torch.Generator().manual_seed(0))]
        return found

    def accuracies(
        self, predict: Callable[[Tensor, int], Tensor], several: Mapping[int, int] | None = None
    ) -> dict[str, list[float]]:
        """The test accuracy of every draw.

        Args:
            predict: Maps the indices of the labelled examples and the draw's seed to labels of the test examples.
            several: As for `draws`; by default five of up to 1,000 labels.
        """
        return {
            name: [float((predict(index, seed) == self.test_y).double().mean()) for seed, index in enumerate(draws)]
            for name, draws in self.draws(several or DRAWS).items()
        }

    def results(
        self,
        kind: str,
        context: Context,
        own: dict[str, list[float]],
        references: dict[str, dict[str, list[float]]],
        features: str,
        method: str,
    ) -> list[Result]:
        """One result per number of labels.

        Args:
            kind: The name's first part: "probe".
            context: The evaluation.
            own: The model's accuracies by number of labels.
            references: Those of other representations by their names, on the same draws.
            features: What was classified, for the protocol.
            method: How, for the protocol.
        """
        return [
            self.result(f"{kind}_{name}", context, values, {key: of[name] for key, of in references.items()}, features,
                        method)
            for name, values in own.items()
        ]  # fmt: skip

    def result(
        self,
        name: str,
        context: Context,
        values: list[float],
        references: dict[str, list[float]],
        features: str,
        method: str,
    ) -> Result:
        """The mean accuracy over draws, with its interval and the worst draw."""
        n, last = len(self.test_y), name.endswith("_all")
        labels = f"{len(self.y) if last else int(name.rpartition('_')[2]):,}"
        of = f" of {self.whole:,}" if last and len(self.y) < self.whole else ""
        drawn = f"{len(values)} draws, " if len(values) > 1 else ""
        mean = sum(values) / len(values)
        details: dict[str, Any] = {"draws": [round(value, 6) for value in values]}
        if len(values) > 1:
            worst = min(range(len(values)), key=values.__getitem__)
            details["worst"] = {"seed": worst, "accuracy": values[worst]}
            interval = of_mean(torch.tensor(values), (mean * (1 - mean) / n) ** 0.5)
            details["interval"] = f"normal, over {len(values)} draws of the labels and {n} test examples"
        else:
            interval = of_share(mean, n)
            details["interval"] = f"Wilson, over {n} test examples"
        few = f"{name} saw {labels}{of} labels; raise n for more." if of else ""
        return Result(
            name, mean, "test accuracy", "higher",
            context.protocol(f"{labels}{of} labels, {drawn}{method}", n_real=n, features=features),
            interval=(max(0.0, interval[0]), min(1.0, interval[1])),
            references={key: sum(found) / len(found) for key, found in references.items()},
            warnings=(*context.warnings, *([few] if few else [])),
            details=details,
        )  # fmt: skip
