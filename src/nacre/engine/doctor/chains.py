"""Markov chains that do not move."""

from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from nacre.engine.doctor.alarm import Ailment

if TYPE_CHECKING:
    from nacre.engine.doctor.checkup import Checkup

FROZEN = 0.7
RARE = 0.01
STUCK = 0.9


class StuckChains(Ailment):
    """Persistent chains that do not mix: what they say of the model is then no sample of it.

    Chains that were never moved (contrastive divergence begins at the data) are not judged.
    """

    name: ClassVar[str] = "chains that do not mix"
    advice: ClassVar[str] = "a smaller --lr, more Gibbs steps (--k 5), --centering, or --schedule linear"
    action: ClassVar[str] = "roll back"
    share: ClassVar[float] = 0.05

    def __init__(self) -> None:
        self.first: Tensor | None = None
        self.before: Tensor | None = None

    def look(self, checkup: "Checkup") -> str:
        """70 % of the units alike in 99 % of the chains, or chains that are where they were a checkup ago.

        The latter is an autocorrelation 1 - a / b above 0.9, where a is the share of units in which a chain differs
        from itself a checkup ago and b the share in which two different chains differ.
        """
        now = checkup.chains
        if now is None:
            return ""
        before, self.before = self.before, now
        self.first = now if self.first is None else self.first
        if before is None or bool((now == self.first).all()):
            return ""
        mean = now.mean(0)
        frozen = float(((mean <= RARE) | (mean >= 1 - RARE)).float().mean())
        if frozen >= FROZEN:
            return f"{frozen:.0%} of the units have one and the same state in all {len(now)} chains"
        between = float((mean + before.mean(0) - 2 * mean * before.mean(0)).mean())
        correlation = 1 - float((now != before).float().mean()) / max(between, 1e-9)
        if correlation < STUCK:
            return ""
        return f"the chains are where they were at the checkup before (autocorrelation {correlation:.2f})"
