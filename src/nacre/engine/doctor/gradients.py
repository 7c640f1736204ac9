"""Gradients that explode or vanish, and numbers that are no longer finite."""

import math
from abc import abstractmethod
from statistics import median
from typing import TYPE_CHECKING, ClassVar

from nacre.engine.doctor.alarm import Ailment

if TYPE_CHECKING:
    from nacre.engine.doctor.checkup import Checkup

USUAL = 10


class NonFinite(Ailment):
    """A gradient or a weight is infinite or not a number. A loss that is so ends the run at once, see `failed`."""

    name: ClassVar[str] = "non-finite values"
    advice: ClassVar[str] = "a smaller --lr, --clip 1, or --precision float32"
    action: ClassVar[str] = "roll back"
    patience: ClassVar[int] = 1

    def look(self, checkup: "Checkup") -> str:
        """The player whose numbers they are."""
        for player, (gradient, weights) in checkup.gradients.items():
            if not math.isfinite(weights):
                return f"weights of {player} are no longer finite"
            if not math.isfinite(gradient):
                return f"the gradient of {player} is no longer finite"
        return ""


class Measured(Ailment):
    """Compares the norm of a player's gradient with its median over the first ten checkups of the phase."""

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}

    def look(self, checkup: "Checkup") -> str:
        """The first player it applies to."""
        said = ""
        for player, (gradient, weights) in checkup.gradients.items():
            before = self.history.setdefault(player, [])
            said = said or self.compare(player, gradient, weights, median(before) if len(before) > 1 else None)
            if len(before) < USUAL and gradient > 0:
                before.append(gradient)
        return said

    @abstractmethod
    def compare(self, player: str, gradient: float, weights: float, usual: float | None) -> str:
        """What is wrong with this player's gradient."""


class Exploding(Measured):
    """A gradient 100 times its usual norm, at two checkups in a row."""

    name: ClassVar[str] = "exploding gradients"
    advice: ClassVar[str] = "--clip 1, or a smaller --lr (of one player: --player-lr NAME 1e-4)"
    action: ClassVar[str] = "roll back"
    patience: ClassVar[int] = 2

    def compare(self, player: str, gradient: float, weights: float, usual: float | None) -> str:
        """Above 100 times the usual norm."""
        if usual is None or not math.isfinite(gradient) or gradient < 100 * usual:
            return ""
        return f"the gradient of {player} has norm {gradient:.3g}, {gradient / usual:,.0f} times its usual {usual:.3g}"


class Vanishing(Measured):
    """A gradient of a ten-thousandth of its usual norm, or of a ten-millionth of the weights'."""

    name: ClassVar[str] = "vanishing gradients"
    advice: ClassVar[str] = (
        "for a GAN --game non-saturating or a weaker discriminator; else a larger --lr, fewer layers or another "
        "--activation"
    )

    def compare(self, player: str, gradient: float, weights: float, usual: float | None) -> str:
        """Below 1e-4 of the usual norm or 1e-7 of the weights'."""
        if usual is not None and gradient < 1e-4 * usual:
            return f"the gradient of {player} has norm {gradient:.2g}, where {usual:.2g} was usual"
        if gradient < 1e-7 * weights:
            return f"the gradient of {player} has norm {gradient:.2g} for weights of norm {weights:.2g}"
        return ""
