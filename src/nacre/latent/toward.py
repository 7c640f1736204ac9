"""The direction toward an attribute of what a model makes, from codes to direction in one call."""

from collections.abc import Sequence

from nacre.latent.arithmetic import difference
from nacre.latent.attributes import Attribute
from nacre.latent.codes import Codes
from nacre.latent.directions import Direction, conditioned, separating_direction
from nacre.model import Model


def direction_toward(
    model: Model, codes: Codes, target: Attribute, *, start: Attribute | None = None, keep: Sequence[Attribute] = ()
) -> Direction:
    """The direction in which an attribute appears and others stay.

    A class is told by the codes' labels where they have any; else the codes are decoded and the attribute judges.

    Args:
        model: A model that can decode.
        codes: Codes to find it on.
        target: What is to appear.
        start: Go along the difference of mean codes, from this attribute to the target, instead of along the normal of
            the linear boundary between codes with the target and without.
        keep: What is to stay: the direction is made orthogonal to the directions toward these.

    Raises:
        NacreError: There are too few codes with or without an attribute, or nothing is left of the direction.
    """
    present = target.of_codes(model, codes)
    if start is None:
        direction = separating_direction(codes.z, present, name=target.name)
    else:
        direction = difference(codes.z, present, start.of_codes(model, codes), name=target.name)
    return conditioned(direction, [direction_toward(model, codes, other) for other in keep])
