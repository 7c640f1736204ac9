"""How many of the 1,000 numbers of stacked MNIST the samples show, and how evenly."""

import torch
from torch import Tensor

from nacre.classifier import Classifier
from nacre.data.stacked import StackedData
from nacre.metrics.context import Context
from nacre.metrics.features import trained_classifier
from nacre.metrics.intervals import bootstrap
from nacre.metrics.result import Protocol, Result

CHEAP = True


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not isinstance(context.data, StackedData):
        return "the data are no stacked digits; load stacked-mnist"
    return "" if context.model.can("sample") else "it makes no samples"


def measure(context: Context) -> list[Result]:
    """Two results: the modes that at least one sample shows, and the reverse KL of the modes from uniform.

    Every channel is classified as a digit by a network that is trained on the digits the stacks are made of. Beside
    each value stand those of as many held-out stacks and of a sampler of uniform numbers. The usual count of samples
    is 26,000 (evaluate with n = 26,000): the floor of both numbers depends on it.

    Reference:
        Metz et al. Unrolled generative adversarial networks. 2017. Lin et al. PacGAN. 2018.
    """
    train, held = context.train, context.held
    assert isinstance(train, StackedData) and isinstance(held, StackedData)
    classifier, digest = trained_classifier(train.digits)
    modes = len(train.digits.spec.classes) ** train.spec.shape[0]
    real = held.examples(len(context.generated), context.seed).x.cpu()
    shown, truth = (numbers(classifier, x) for x in (context.generated, real))
    n = len(shown)

    def protocol(method: str) -> Protocol:
        return context.protocol(method, n_generated=n, features=f"digits by a classifier {digest}")

    divergence = reverse_kl(shown, modes)
    return [
        Result(
            "stacked_modes",
            float(len(shown.unique())),
            f"of {modes:,}",
            "higher",
            protocol("shown by at least one sample"),
            references={"uniform": modes * -torch.expm1(n * torch.log1p(torch.tensor(-1.0 / modes))).item(),
                        "real examples": float(len(truth.unique()))},
            details={"classifier_accuracy": classifier.accuracy(held.digits)},
        ),
        Result(
            "stacked_divergence",
            divergence,
            "nats",
            "lower",
            protocol("reverse KL: of the samples over modes from uniform"),
            interval=bootstrap(lambda drawn: reverse_kl(drawn, modes), divergence, shown),
            references={"uniform": (modes - 1) / (2 * n), "real examples": reverse_kl(truth, modes)},
        ),
    ]  # fmt: skip


def numbers(classifier: Classifier, x: Tensor) -> Tensor:
    """The number that the digits of each image make up, the first channel leading: (n, k, h, w) -> (n,) int64."""
    classes = len(classifier.spec.classes)
    digits = classifier.classify(x.flatten(0, 1)[:, None]).argmax(1).cpu().view(len(x), -1)  # (n, k)
    return (digits * classes ** torch.arange(digits.shape[1] - 1, -1, -1)).sum(1)


def reverse_kl(shown: Tensor, modes: int) -> float:
    """KL of the shares of numbers (n,) from uniform over all modes, in nats."""
    shares = shown.bincount(minlength=modes).double() / len(shown)
    return float(torch.xlogy(shares, shares * modes).sum())
