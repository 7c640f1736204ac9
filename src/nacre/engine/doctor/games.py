"""What goes wrong between a generator and its judge."""

from collections import deque
from statistics import median
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from nacre.engine.doctor.alarm import Ailment

if TYPE_CHECKING:
    from nacre.engine.doctor.checkup import Checkup

SPREAD = 0.3
LOOKS = 5
YOUNG = 1_000
CERTAIN = 15.0
ACCURATE = 0.97
CONSTANT = 1e-3
DIFFERENT = 0.05
OVERFITTED = 0.5
ERRORS = 5.0


class ModeCollapse(Ailment):
    """The samples of a game are much less diverse than real examples, and are not becoming more so.

    Spread = (D(samples) - 1) / (D(reals) - 1) with the effective number D of different examples, 1 / mean_ij
    exp(-d_ij^2 / 2 h^2), where h is half the median distance of two reals (Leinster & Cobbold 2012, order 2).
    """

    name: ClassVar[str] = "mode collapse"
    advice: ClassVar[str] = (
        "another game (wgan-gp), a slower generator (--player-lr generator 1e-4), more steps of the discriminator, or "
        "a larger batch"
    )
    action: ClassVar[str] = "roll back"

    def __init__(self) -> None:
        self.latest: deque[float] = deque(maxlen=LOOKS)
        self.was_spread = False

    def look(self, checkup: "Checkup") -> str:
        """A median spread below 0.3 over five checkups that does not rise from the first two to the last two.

        A generator that has never spread is young, and not collapsed, for 1,000 steps and a fifth of the phase.
        """
        if checkup.scores is None or checkup.spread is None:
            return ""
        self.latest.append(checkup.spread)
        self.was_spread |= checkup.spread >= SPREAD
        young = not self.was_spread and (checkup.done < YOUNG or checkup.done < checkup.length / 5)
        if young or len(self.latest) < LOOKS or median(self.latest) >= SPREAD:
            return ""
        first, second, *_, second_last, last = self.latest
        if second_last + last > 1.25 * (first + second) + 0.1:
            return ""
        return (
            f"the spread of {checkup.references.n} samples is {median(self.latest):.2f} of that of as many real "
            f"examples (median of {LOOKS} checkups; healthy: above {SPREAD})"
        )


class StrongDiscriminator(Ailment):
    """The discriminator is certain: its logits are far apart and it makes no mistakes."""

    name: ClassVar[str] = "discriminator too strong"
    advice: ClassVar[str] = "a slower discriminator (--player-lr discriminator 1e-4), fewer of its steps, or wgan-gp"
    share: ClassVar[float] = 0.1

    def look(self, checkup: "Checkup") -> str:
        """Real and fake logits more than 15 apart on average, and 97 % of their pairs in the right order.

        Scores that are no logits have no scale, and a Wasserstein critic is meant to be ahead: they are not judged.
        """
        scores, rules = checkup.scores, getattr(checkup.model, "rules", None)
        if scores is None or (rules is not None and not rules.logits):
            return ""
        apart, accuracy = float(scores.real.mean() - scores.fake.mean()), in_order(scores.real, scores.fake)
        if apart < CERTAIN or accuracy < ACCURATE:
            return ""
        ratio = gradient_ratio(checkup)
        said = f", and the generator's gradient is {ratio:.3g} times the discriminator's" if ratio else ""
        return f"the discriminator ranks {accuracy:.1%} of real and fake pairs rightly, by {apart:.0f} nats{said}"


class DeadDiscriminator(Ailment):
    """The judge gives everything the same score although samples and real examples differ."""

    name: ClassVar[str] = "dead discriminator"
    advice: ClassVar[str] = "a smaller --lr, leaky-relu in the discriminator, or more steps of the discriminator"
    share: ClassVar[float] = 0.05

    def look(self, checkup: "Checkup") -> str:
        """Scores within 0.001 of each other, and a squared kernel discrepancy (MMD) above 0.05."""
        scores, discrepancy = checkup.scores, checkup.discrepancy
        if scores is None or discrepancy is None or discrepancy < DIFFERENT:
            return ""
        deviation = float(torch.cat([scores.real, scores.fake]).std())
        if deviation >= CONSTANT:
            return ""
        return (
            f"the discriminator's scores of samples and real examples deviate by {deviation:.1g}, though the two "
            f"differ (squared MMD {discrepancy:.2f})"
        )


class OverfittedDiscriminator(Ailment):
    """The judge scores real examples that it has not seen like fakes.

    r = (E[D(train)] - E[D(held out)]) / (E[D(train)] - E[D(fake)]): 0 without, 1 with complete overfitting (Karras et
    al. 2020, equation 1).
    """

    name: ClassVar[str] = "overfitted discriminator"
    advice: ClassVar[str] = "more data or augmentation, a smaller discriminator, fewer steps"
    action: ClassVar[str] = "roll back"
    share: ClassVar[float] = 0.05

    def look(self, checkup: "Checkup") -> str:
        """R above 0.5, by a difference of more than five standard errors."""
        scores = checkup.scores
        if scores is None or scores.held is None:
            return ""
        train, held, fake = scores.real, scores.held, scores.fake
        gap = float(train.mean() - held.mean())
        error = float((train.var() / len(train) + held.var() / len(held)).sqrt())
        whole = float(train.mean() - fake.mean())
        if whole <= 0 or gap < ERRORS * error or gap < OVERFITTED * whole:
            return ""
        return (
            f"it scores training examples {float(train.mean()):.2f}, held-out ones {float(held.mean()):.2f} and "
            f"samples {float(fake.mean()):.2f}: {gap / whole:.0%} of the way to calling them fake"
        )


def in_order(high: Tensor, low: Tensor) -> float:
    """The share of pairs in which the first is above the second, the area under the ROC curve."""
    return float((high[:, None] > low[None]).float().mean())


def gradient_ratio(checkup: "Checkup") -> float | None:
    """The norm of the generator's gradient over that of the discriminator's."""
    gradients = checkup.gradients
    if "generator" not in gradients or "discriminator" not in gradients or not gradients["discriminator"][0]:
        return None
    return gradients["generator"][0] / gradients["discriminator"][0]
