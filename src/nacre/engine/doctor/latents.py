"""A posterior that says nothing about the example."""

from typing import TYPE_CHECKING, ClassVar

from nacre.engine.doctor.alarm import Ailment

if TYPE_CHECKING:
    from nacre.engine.doctor.checkup import Checkup

ACTIVE = 0.01


class PosteriorCollapse(Ailment):
    """No latent unit is active: the variance over the data of every posterior mean is below 0.01.

    Burda et al. 2016, section 5.2, count units with Cov_x(E[z | x]) > 0.01. Some idle units are usual.
    """

    name: ClassVar[str] = "posterior collapse"
    advice: ClassVar[str] = "a smaller --beta, --kl-warmup 0.3, or a weaker decoder"
    share: ClassVar[float] = 0.1

    def look(self, checkup: "Checkup") -> str:
        """Not one active unit."""
        if checkup.posterior is None:
            return ""
        variances = checkup.posterior.flatten(1).var(0)
        largest = float(variances.max())
        if largest > ACTIVE:
            return ""
        return (
            f"none of the {len(variances)} latent units is active (the largest variance of a posterior mean is "
            f"{largest:.1g}, active above {ACTIVE})"
        )
