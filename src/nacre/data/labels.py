"""Labels: whole numbers or names, checked and numbered."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.errors import NacreError

if TYPE_CHECKING:
    from nacre.data.parts import Part


def check_labels(y: Any, n: int, where: str) -> np.ndarray:
    """Labels (n,) as int64 or as names.

    Args:
        y: What becomes an array (n,) or (n, 1).
        n: The number of examples.
        where: Names the source in messages.

    Raises:
        NacreError: If they are of another length, or neither whole numbers nor names.
    """
    y = np.asarray(y)
    if y.dtype == object and all(isinstance(name, str) for name in y.flat):
        y = y.astype(str)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.shape != (n,):
        raise NacreError(f"{where} has {n} examples but labels of shape {y.shape}; give one label for each example.")
    if y.dtype.kind == "f" and not (np.isfinite(y).all() and (y == y.round()).all()):
        raise NacreError(f"the labels of {where} are not whole numbers; give the classes as 0, 1, 2, ...")
    if y.dtype.kind not in "USbiuf":
        raise NacreError(f"the labels of {where} are of type {y.dtype}; give whole numbers or names.")
    return y if y.dtype.kind in "US" else y.astype(np.int64)


def encode_labels(part: "Part", classes: tuple[str, ...]) -> np.ndarray | None:
    """The labels as int64 (n,) into the names of the classes."""
    if part.y is None:
        return None
    y = part.y
    if y.dtype.kind in "US":
        number = {name: i for i, name in enumerate(classes)}
        strange = sorted(set(y.tolist()) - set(number))
        if strange:
            raise NacreError(f"the label {strange[0]!r} is none of the known classes {', '.join(classes)}; correct it.")
        return np.array([number[name] for name in y.tolist()], np.int64)
    wrong = np.flatnonzero((y < 0) | (y >= len(classes)))
    if len(wrong):
        raise NacreError(
            f"the label {y[wrong[0]]} in row {wrong[0]} is out of range; number the {len(classes)} classes "
            f"0 to {len(classes) - 1}."
        )
    return y.astype(np.int64)


def class_names(part: "Part") -> tuple[str, ...]:
    """The names of a part's classes: those known, else the sorted names, else 0 to the highest label."""
    if part.y is None or part.classes:
        return part.classes
    if part.y.dtype.kind in "US":
        return tuple(sorted(set(part.y.tolist())))
    low, high = int(part.y.min()), int(part.y.max())
    if low < 0 or high >= max(1000, len(part)):
        raise NacreError(f"the label {low if low < 0 else high} is out of range; number the classes 0, 1, 2, ...")
    return tuple(str(i) for i in range(high + 1))
