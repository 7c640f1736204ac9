"""Parts: what a source hands over for one split, checked and brought to one layout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from nacre.data.images import EncodedImages
from nacre.data.labels import check_labels
from nacre.data.pixels import CHANNELS, COLORS, recoloured, resize
from nacre.data.spec import Spec
from nacre.errors import NacreError, unknown


@dataclass(frozen=True)
class Part:
    """The examples and labels of one split.

    Args:
        x: Images (n, c, h, w), vectors (n, d), or encoded images.
        y: Labels (n,), numbers or names; None without.
        unit: The factor from stored to user values.
        classes: The names of the labels 0, 1, ... where they are known.
        columns: The names of a table's columns.
        categories: For every column the names that its values number; empty for numbers.
        notes: What a user should know.
        sequence: Whether the values are the symbols of strings.
        binarize: Whether grey values are drawn as Bernoulli: "afresh" in every batch, or "once" with a fixed seed.
        label: The name of the table's column that the labels are from.
        keys: The columns with another value in every row, as names and numbers of rows are.
        unusable: Why columns are of no use, by their names; their values are all missing.
    """

    x: np.ndarray | EncodedImages
    y: np.ndarray | None = None
    unit: float = 1.0
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    categories: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    sequence: bool = False
    binarize: Literal["", "afresh", "once"] = ""
    label: str = ""
    keys: tuple[str, ...] = ()
    unusable: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def is_image(self) -> bool:
        """Whether the examples are images."""
        return isinstance(self.x, EncodedImages) or self.x.ndim == 4

    def take(self, index: np.ndarray) -> "Part":
        """The rows of an index (n,)."""
        x = self.x.take(index) if isinstance(self.x, EncodedImages) else self.x[index]
        return replace(self, x=x, y=None if self.y is None else self.y[index])


def join(parts: Sequence[Part]) -> Part:
    """Several parts of one layout as one, in their order."""
    parts = [parts[0], *(aligned(part, parts[0]) for part in parts[1:])]
    labels = [part.y for part in parts if part.y is not None]
    encoded = [part.x for part in parts if isinstance(part.x, EncodedImages)]
    arrays = [part.x for part in parts if isinstance(part.x, np.ndarray)]
    x = EncodedImages.join(encoded) if encoded else np.concatenate(arrays)
    return replace(parts[0], x=x, y=np.concatenate(labels) if len(labels) == len(parts) else None)


def aligned(part: Part, reference: Part) -> Part:
    """The part with its categories numbered as the reference's are; names that this does not know become missing."""
    if part.categories == reference.categories or isinstance(part.x, EncodedImages):
        return part
    if part.columns != reference.columns:
        raise NacreError(
            f"the splits have different columns ({', '.join(part.columns)} and {', '.join(reference.columns)}); "
            f"give them the same."
        )
    x, none = part.x.copy(), ((),) * len(part.columns)
    for j, (own, known) in enumerate(zip(part.categories or none, reference.categories or none, strict=True)):
        if own != known:
            numbers = np.array([known.index(name) if name in known else np.nan for name in own] + [np.nan], np.float32)
            x[:, j] = numbers[np.where(np.isnan(x[:, j]), len(own), np.nan_to_num(x[:, j])).astype(int)]
    return replace(part, x=x, categories=reference.categories)


def with_label(part: Part, name: str) -> Part:
    """The part with one of its columns as the labels.

    Raises:
        NacreError: There is no such column, it has missing values, or its values are no classes.
    """
    if part.label == name:
        return part
    if name not in part.columns or isinstance(part.x, EncodedImages):
        known = f"; there are {', '.join(part.columns)}" if part.columns else ", since it is no table"
        raise NacreError(f"the data have no column {name!r} to take the labels from{known}.")
    if name in part.unusable:
        raise NacreError(part.unusable[name])
    j = part.columns.index(name)
    values, names = part.x[:, j], part.categories[j] if part.categories else ()
    if np.isnan(values).any():
        raise NacreError(f"the label column {name!r} has {int(np.isnan(values).sum())} missing values; remove them.")
    y = np.array(names)[values.astype(int)] if names else check_labels(values, len(part), f"column {name!r}")
    return replace(
        part,
        x=np.delete(part.x, j, axis=1),
        y=y,
        classes=(),
        label=name,
        columns=part.columns[:j] + part.columns[j + 1 :],
        categories=part.categories[:j] + part.categories[j + 1 :],
    )


def with_columns(part: Part, names: Sequence[str] = (), drop: Sequence[str] = ()) -> Part:
    """The part with some of its columns only, in the order of the table; "categories" names all columns of categories.

    Args:
        part: A table.
        names: What to keep; all by default.
        drop: What to leave out of these; the column of the labels too.

    Raises:
        NacreError: There is no such column, or none is left.
    """
    categorical = [name for name, own in zip(part.columns, part.categories, strict=False) if own]
    magic = {} if "categories" in part.columns else {"categories": categorical}
    wanted, unwanted = ({column for name in some for column in magic.get(name, [name])} for some in (names, drop))
    if part.label and part.label in unwanted:
        unwanted.remove(part.label)
        part = replace(part, y=None, classes=(), label="")
    strange = sorted((wanted | unwanted) - set(part.columns))
    if isinstance(part.x, EncodedImages) or strange or (names and not wanted):
        known = f"; there are {', '.join(part.columns)}" if part.columns else ", since it is no table"
        raise NacreError(f"the data have no column {', '.join(strange or [*names, *drop])!r}{known}.")
    kept = [j for j, name in enumerate(part.columns) if (name in wanted or not names) and name not in unwanted]
    if not kept:
        raise NacreError("no column is left of the data; drop fewer.")
    return replace(
        part,
        x=np.ascontiguousarray(part.x[:, kept]),
        columns=tuple(part.columns[j] for j in kept),
        categories=tuple(part.categories[j] for j in kept) if part.categories else (),
    )


def array_part(x: Any, y: Any = None, where: str = "the data", **options: Any) -> Part:
    """The part of an array, by its shape and type.

    (n, d) is a vector; (n, h, w), (n, h, w, c) and (n, c, h, w) with c in 1..4 are images, of integers in 0..255 (or
    0..65535 for uint16) or of floats in [0, 1].

    Args:
        x: A NumPy array, or what becomes one.
        y: Labels (n,), or None.
        where: Names the source in messages.
        options: More fields of the part.

    Raises:
        NacreError: If the array is empty, holds objects, NaN or infinity, or has another shape or range.
    """
    try:
        x = np.asarray(x)
    except ValueError as error:
        if isinstance(x, list | tuple):
            raise NacreError(f"{where} is no array, since its rows differ in shape; make them of one shape.") from error
        raise NacreError(
            f"{where} is a {type(x).__name__} and no array; give an array of examples, or a pair of it and the labels."
        ) from error
    if not (np.issubdtype(x.dtype, np.number) or x.dtype == bool) or np.iscomplexobj(x):
        raise NacreError(f"{where} holds values of type {x.dtype}; give an array of numbers.")
    if x.ndim == 0 or x.size == 0:
        raise NacreError(f"{where} is empty (shape {x.shape}); give at least one example.")
    check_finite(x, where)
    if y is not None:
        y = check_labels(y, len(x), where)
    if x.ndim <= 2:
        return Part(np.ascontiguousarray(x.reshape(len(x), -1), dtype=np.float32), y, **options)
    x = _channels_first(x, where)
    low, high = x.min(), x.max()
    if x.dtype == np.uint16 and high > 255:
        return Part(x.astype(np.float32), y, 1 / 65535, **options)
    if np.issubdtype(x.dtype, np.floating):
        if low < 0 or high > 1:
            raise NacreError(
                f"{where} has the shape of images but values from {low:.4g} to {high:.4g}; scale them to [0, 1], "
                "give uint8, or flatten each example to a vector (n, d)."
            )
        return Part(np.ascontiguousarray(x, dtype=np.float32), y, **options)
    if low < 0 or high > 255:
        raise NacreError(f"{where} has the shape of images but values from {low} to {high}; give uint8 in 0..255.")
    # Images of nothing but 0 and 1 are binarized, not nearly black.
    return Part(np.ascontiguousarray(x, dtype=np.uint8), y, 1.0 if high <= 1 else 1 / 255, **options)


def check_finite(x: np.ndarray, where: str, columns: Sequence[str] = ()) -> None:
    """Raise a `NacreError` that names the number of NaN or infinite values and the first one's place."""
    if not np.issubdtype(x.dtype, np.floating) or np.isfinite(x).all():
        return
    bad = np.argwhere(~np.isfinite(x))
    row, *place = (int(i) for i in bad[0])
    column = f"column {columns[place[0]]!r}" if columns else f"column {place[0] if len(place) == 1 else tuple(place)}"
    raise NacreError(
        f"{where} has {len(bad)} missing (NaN) or infinite value{'s' if len(bad) > 1 else ''}, the first in row {row}, "
        f"{column}; fill them in or remove these rows."
    )


def binarized(part: Part) -> Part:
    """The part with grey values drawn as Bernoulli where that is asked for once: the same draws always."""
    if part.binarize != "once" or isinstance(part.x, EncodedImages):
        return part
    grey = part.x * np.float32(part.unit)
    return replace(part, x=(np.random.default_rng(0).random(grey.shape, np.float32) < grey).astype(np.uint8), unit=1.0)


def resized(part: Part, size: tuple[int, int] | None) -> Part:
    """The part with images of (height, width); encoded images are resized when they are decoded."""
    if size is None:
        return part
    if isinstance(part.x, EncodedImages):
        return replace(part, x=part.x.like(part.x.mode, size))
    if not part.is_image:
        what = "strings" if part.sequence else "vectors"
        raise NacreError(f"{what} cannot be made {size[0]} x {size[1]} pixels; give images, or leave --size out.")
    if part.x.shape[2:] == size:
        return part
    # A binarized image has grey values once it is made smaller.
    x = part.x.astype(np.float32) if part.unit == 1 else part.x
    return replace(part, x=resize(x, size, 1 / part.unit))


def with_color(part: Part, color: str) -> Part:
    """The part with grey, RGB or RGBA images; encoded images are converted when they are decoded.

    Raises:
        NacreError: They are no images, or have other channels, or there is no such colour.
    """
    if not color:
        return part
    if color not in COLORS:
        raise unknown("color", color, list(COLORS))
    if not part.is_image:
        raise NacreError("images alone have a color, and the data are none; leave color out.")
    mode = COLORS[color]
    if isinstance(part.x, EncodedImages):
        same = CHANNELS[part.x.mode] == CHANNELS[mode]  # 16-bit grey stays as fine as it is
        return part if same else replace(part, x=part.x.like(mode, part.x.size))
    n = part.x.shape[1]
    if n == CHANNELS[mode]:
        return part
    if n == 2 or part.binarize == "afresh":
        what = "images with 2 channels" if n == 2 else "images that are binarized batch by batch"
        raise NacreError(f"{what} cannot be made {color}; leave color out.")
    return replace(part, x=recoloured(part.x, CHANNELS[mode], 1 / part.unit))


def spec_of(part: Part, classes: tuple[str, ...], name: str) -> Spec:
    """The spec of data whose training part this is; the units of a vector are the columns' means and deviations."""
    if isinstance(part.x, EncodedImages):
        sample = part.x.decode(np.unique(np.linspace(0, len(part) - 1, 64).astype(int)))
        return Spec.image(*part.x.shape, classes=classes, name=name, binary=_is_binary(sample, part.x.unit))
    if part.is_image:
        binary = bool(part.binarize) or _is_binary(part.x, part.unit)
        return Spec.image(*part.x.shape[1:], classes=classes, name=name, binary=binary)
    gone = np.isnan(part.x)
    known = (~gone).sum(0).clip(min=1)
    values = np.where(gone, 0.0, part.x.astype(np.float64))
    center = values.sum(0) / known
    scale = np.sqrt((np.where(gone, 0.0, values - center) ** 2).sum(0) / known)
    return Spec(
        part.x.shape[1:],
        "sequence" if part.sequence else "vector",
        classes=classes,
        center=tuple(center.tolist()),
        scale=tuple(np.where(scale > 0, scale, 1.0).tolist()),
        bounded=bool(part.x.min() >= 0 and part.x.max() <= 1) and not any(part.categories),
        categories=part.categories if any(part.categories) else (),
        missing=tuple(name for j, name in enumerate(part.columns) if gone[:, j].any()),
        binary=_is_binary(part.x, 1.0),
        whole=tuple(
            name
            for j, name in enumerate(part.columns)
            if not (part.categories and part.categories[j])
            and (values[:, j] % 1 == 0).all()
            and np.abs(values[:, j]).max() < 2**24  # beyond, a float32 is always whole
        ),
        columns=part.columns,
        name=name,
    )


def _is_binary(x: np.ndarray, unit: float) -> bool:
    top = round(1 / unit)
    return bool(np.isin(x[:100], (0, top)).all() and ((x == 0) | (x == top)).all())


def _channels_first(x: np.ndarray, where: str) -> np.ndarray:
    if x.ndim == 3:
        return x[:, None]  # (n, 1, h, w)
    if x.ndim == 4 and 1 <= x.shape[1] <= 4:
        return x
    if x.ndim == 4 and 1 <= x.shape[3] <= 4:
        return np.moveaxis(x, 3, 1)  # (n, c, h, w)
    raise NacreError(
        f"{where} has the shape {x.shape}; give (n, d) for vectors, or (n, h, w), (n, h, w, c) or (n, c, h, w) "
        "with 1 to 4 channels for images."
    )
