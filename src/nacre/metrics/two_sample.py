"""Whether a classifier tells samples from real examples it has not seen."""

import torch
from torch import Tensor

from nacre.classifier import Classifier
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.engine import distributed
from nacre.metrics import embedded
from nacre.metrics.context import Context
from nacre.metrics.intervals import of_share
from nacre.metrics.result import Result
from nacre.model import seeded
from nacre.nets.mlp import mlp
from nacre.nets.scale import FromData

CHEAP = False
STEPS, UNITS = 400, 64
FEWEST = 100


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return embedded.obstacle(context, least=FEWEST)


def measure(context: Context) -> list[Result]:
    """`two_sample`: the accuracy of a fresh classifier on held halves of real and generated features, 0.5 at best.

    Beside it stand the same test between two sets of real examples, and between real and noisy ones.

    Reference:
        Lopez-Paz, Oquab. Revisiting classifier two-sample tests. 2017.
    """
    compared = context.embedded
    accuracy, n, test = distinguished(compared.real, compared.generated, context.seed)
    details = {
        **compared.details, "p_value": p_value(accuracy, test), "n_train": 2 * n - test, "n_test": test,
        "interval": f"Wilson, over {test} test examples",
    }  # fmt: skip
    return [
        Result(
            "two_sample", accuracy, "test accuracy", "lower",
            compared.protocol(f"two hidden layers of {UNITS}, {STEPS} steps, half of each set to test on", n),
            interval=of_share(accuracy, test), warnings=compared.warnings, details=details,
            references=compared.references(lambda a, b: distinguished(a, b, context.seed)[0]),
        )
    ]  # fmt: skip


def distinguished(first: Tensor, second: Tensor, seed: int) -> tuple[float, int, int]:
    """The accuracy of a classifier between two sets of features, how many of each it was given, and of both it judged.

    Both sets are cut to the same size n; half of each trains the classifier, the other half tests it.

    Args:
        first: Features (n, d).
        second: Features (m, d).
        seed: Of the halves and the classifier.
    """
    n = min(len(first), len(second))
    generator = torch.Generator().manual_seed(seed)
    sets = [part[torch.randperm(len(part), generator=generator)[:n]].float() for part in (first, second)]
    half = n // 2
    x = torch.cat([*(part[:half] for part in sets), *(part[half:] for part in sets)])
    y = torch.tensor([0, 1, 0, 1]).repeat_interleave(torch.tensor([half, half, n - half, n - half]))
    train, test = slice(0, 2 * half), slice(2 * half, None)
    center, scale = x[train].mean(0), x[train].std(0)
    # A feature that is always 0 carries nothing; dividing by its own size would only blow rounding up.
    scale = torch.where(scale > 1e-3 * scale.mean(), scale, scale.mean().clamp(min=1e-12))
    spec = Spec((x.shape[1],), "vector", ("first", "second"), tuple(center.tolist()), tuple(scale.tolist()))
    with seeded(seed), distributed.alone():
        trunk = torch.nn.Sequential(FromData(spec), *mlp([x.shape[1], UNITS, UNITS]), torch.nn.ReLU())
        classifier = Classifier(spec, trunk).fit(
            Data(x[train], y[train], spec=spec), steps=STEPS, batch_size=min(128, 2 * half), seed=seed,
            weight_decay=1e-2, optimizer="adamw", progress=False, doctor="off",
        )  # fmt: skip
    right = (classifier.classify(x[test]).argmax(1).cpu() == y[test]).double().mean()
    return float(right), n, len(y[test])


def p_value(accuracy: float, n: int) -> float:
    """The probability of an accuracy at least as high over n test examples if both sets are one distribution.

    Exact, since the number of right answers of a classifier that has not seen them is then binomial with p = 1/2.
    """
    from scipy.special import bdtrc

    return float(bdtrc(round(accuracy * n) - 1, n, 0.5))
