"""What a model needs to know of its data: shape, kind, classes and units."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True)
class Spec:
    """The shape and the units of one example.

    Images are float in [0, 1] with shape (channels, height, width); vectors keep their own units; strings are rows of
    symbol numbers, whose `categories` are the alphabet in every place.

    Args:
        shape: The shape of one example, without the batch: (c, h, w) or (d,).
        kind: "image", "vector" or "sequence".
        classes: The names of the labels 0, 1, ...; empty without labels.
        center: The middle of the values, one number or one per column of a vector.
        scale: Half the range (images) or the standard deviation (vectors), likewise; positive.
        bounded: Whether every value lies in [0, 1].
        binary: Whether every value is 0 or 1.
        columns: The names of a table's columns; empty otherwise.
        categories: For every column of a table the names that its values 0, 1, ... number; empty for a number. Empty
            where all columns are numbers.
        missing: The names of the columns that have missing values, which are NaN.
        whole: The names of the columns that hold whole numbers only.
        attributes: The names of the numbers that examples carry beside x, as conditions; empty without any.
        name: The data set's name, for titles and messages.
    """

    shape: tuple[int, ...]
    kind: Literal["image", "vector", "sequence"] = "vector"
    classes: tuple[str, ...] = ()
    center: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    bounded: bool = False
    binary: bool = False
    columns: tuple[str, ...] = ()
    categories: tuple[tuple[str, ...], ...] = ()
    missing: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    name: str = ""

    @classmethod
    def image(cls, channels: int, height: int, width: int, **options: Any) -> "Spec":
        """The spec of images with values in [0, 1]."""
        return cls((channels, height, width), "image", center=(0.5,), scale=(0.5,), bounded=True, **options)

    @property
    def mixed(self) -> bool:
        """Whether its values are categories or missing, some at least: those of a table, or a string."""
        return any(self.categories) or bool(self.missing)

    @property
    def names(self) -> tuple[str, ...]:
        """What the values of a vector are called: its columns, or x0, x1 and so on."""
        return self.columns or tuple(f"x{j}" for j in range(self.size))

    @property
    def size(self) -> int:
        """The number of values in one example."""
        return math.prod(self.shape)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Spec":
        """The inverse of `to_dict`; unknown keys of a newer version are ignored."""
        names = {field.name for field in fields(cls)}
        known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in names}
        known["categories"] = tuple(tuple(names) for names in known.get("categories", ()))
        return cls(**known)
