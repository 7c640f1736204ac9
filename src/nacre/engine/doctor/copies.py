"""Samples that are training examples."""

from typing import TYPE_CHECKING, ClassVar

from nacre.engine.doctor.alarm import Ailment

if TYPE_CHECKING:
    from nacre.engine.doctor.checkup import Checkup

SHARE = 0.25


class Memorisation(Ailment):
    """Samples lie much nearer to training examples than held-out examples do.

    A copy is a sample whose distance to the nearest of at most 2,000 training examples is below half the distance
    that only 5 % of held-out examples stay under. Of n training examples 2,000 / n of all copies can be seen.
    """

    name: ClassVar[str] = "memorisation"
    advice: ClassVar[str] = "more data or augmentation, a smaller model, fewer steps"
    action: ClassVar[str] = "roll back"
    share: ClassVar[float] = 0.05

    def look(self, checkup: "Checkup") -> str:
        """A quarter of the samples are copies."""
        share = checkup.copies
        if share is None or share < SHARE:
            return ""
        return (
            f"{share:.0%} of the samples lie less than half as far from a training example as nearly all held-out "
            f"examples do"
        )
