"""How well a direction works: how many examples it changes as wanted, and what else it changes."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from nacre.errors import NacreError
from nacre.latent.attributes import Attribute
from nacre.latent.directions import Direction
from nacre.model import Model


@dataclass(frozen=True)
class Effect:
    """What moving by one strength does to examples that were without the target attribute.

    Args:
        strength: How far they were moved.
        flipped: The share that has the target attribute afterwards, in [0, 1].
        changed: The share for which each other attribute is no longer as it was, by name.
        n: How many examples were moved.
    """

    strength: float
    flipped: float
    changed: dict[str, float]
    n: int


def measure(
    model: Model,
    z: Tensor,
    direction: Direction,
    target: Attribute,
    others: Sequence[Attribute] = (),
    strengths: Sequence[float] = (1.0, 2.0, 3.0),
) -> list[Effect]:
    """Move codes along a direction and judge the decoded examples before and after.

    Use codes that the direction was not found on. Whatever judges is part of the result: a classifier can be fooled.

    Args:
        model: A model that can decode.
        z: Codes, shape (n, latent); those whose example has the target attribute already are left out.
        direction: Where to.
        target: What is to appear.
        others: What should stay.
        strengths: How far, in steps of the direction.

    Returns:
        One effect per strength.

    Raises:
        NacreError: Every example has the target attribute already.
    """
    x = model.decode(z)
    without = ~target.present(x)
    if not without.any():
        raise NacreError(f"every example is {target.name} already; give codes of others.")
    x, z = x[without], z[without.to(z.device)]
    effects = []
    for strength in strengths:
        moved = model.decode(direction.move(z, strength))
        changed = {other.name: share(other.present(moved) != other.present(x)) for other in others}
        effects.append(Effect(float(strength), share(target.present(moved)), changed, len(z)))
    return effects


def share(mask: Tensor) -> float:
    """The share of a bool tensor (n,) that is true."""
    return float(mask.float().mean())
