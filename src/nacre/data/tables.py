"""Tables: Parquet, CSV and the Hugging Face Hub, with a column of images or with columns of numbers."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nacre.data.dataset import memory_limit
from nacre.data.download import cache_folder
from nacre.data.images import SUFFIXES, EncodedImages
from nacre.data.labels import check_labels
from nacre.data.parts import Part, array_part, check_finite
from nacre.errors import NacreError

LABELS = ("label", "labels", "target", "class", "y")
MOST_CATEGORIES = 1_000
FEW_ROWS = 20  # of which even a column that says something may have no value twice
SPLIT_NAMES = {"training": "train", "valid": "validation", "val": "validation", "dev": "validation"}


def parquet(paths: Sequence[Path]) -> Part:
    """One or more Parquet files of the same columns; beyond the memory limit they are mapped from the disk."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = str(paths[0])
    try:
        if sum(path.stat().st_size for path in paths) > memory_limit():
            import datasets

            names: Any = [str(path) for path in paths]
            mapped = datasets.Dataset.from_parquet(names, cache_dir=str(cache_folder() / "datasets"))
            return _hub_part(mapped, where)
        table = pa.concat_tables([pq.read_table(path) for path in paths])
    except (pa.ArrowInvalid, OSError) as error:
        raise NacreError(f"{where} does not open as a Parquet file ({_line(error)}); save it again.") from error
    metadata = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    features = metadata.get("info", {}).get("features", {})
    return _table(table, where, {name: feature.get("names", ()) for name, feature in features.items()})


def csv(path: Path) -> Part:
    """A CSV file with or without a header; a column of image paths, relative to the file, makes images."""
    import pandas as pd

    separator, header = csv_layout(path)
    try:
        frame = pd.read_csv(path, sep=separator, header=header)
        _refuse_short_rows(path, frame, separator, header)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise NacreError(f"{path} does not read as a CSV file ({_line(error)}); correct it.") from error
    return frame_part(frame.rename(columns=str), str(path), {}, path.parent)


def text_frame(path: Path) -> tuple[Any, dict[str, Any]]:
    """A CSV file with every field as the text it is, and the options of pandas that write it alike."""
    import pandas as pd

    separator, header = csv_layout(path)
    frame = pd.read_csv(path, sep=separator, header=header, dtype=str).rename(columns=str)
    return frame, {"sep": separator, "header": header is not None}


def csv_layout(path: Path) -> tuple[str, int | None]:
    """The separator of a CSV file, and 0 where its first line is a header, None where it is numbers."""
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline().strip()
    separator = "\t" if "\t" in first else ";" if ";" in first and "," not in first else ","
    return separator, None if first and all(_is_number(field) for field in first.split(separator)) else 0


def _refuse_short_rows(path: Path, frame: Any, separator: str, header: int | None) -> None:
    """Refuse rows of fewer fields than the header, which pandas fills up with missing values.

    Raises:
        NacreError: There is one.
    """
    import csv as text

    if not len(frame) or not frame.iloc[:, -1].isna().any():  # what a short row lacks is its last field at least
        return
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        reader = text.reader(file, delimiter=separator)
        rows = (row for row in reader if len(row) > 1 or "".join(row).strip())
        wanted = len(next(rows)) if header is not None else frame.shape[1]
        try:
            short = next((row for row in rows if len(row) < wanted), None)
        except text.Error:  # a field too long for this reader, which pandas could read
            return
    if short is not None:
        raise NacreError(
            f"line {reader.line_num} of {path} has fewer fields than the {wanted} of the first; complete it, with "
            f"nothing between two separators for a value that is missing."
        )


def hub(name: str) -> dict[str, Callable[[], Part]]:
    """The splits of a data set of the Hugging Face Hub: owner/name or owner/name/configuration, or a local folder."""
    import datasets

    configured = name.count("/") == 2 and not Path(name).exists()
    place, configuration = name.rsplit("/", 1) if configured else (name, None)
    try:
        loaded = datasets.load_dataset(place, configuration)
    except (OSError, ValueError, RuntimeError) as error:
        raise NacreError(
            f"the Hugging Face data set {name!r} cannot be loaded ({_line(error)}); check the name and the network."
        ) from error
    return {SPLIT_NAMES.get(str(split), str(split)): partial(_hub_part, part, name) for split, part in loaded.items()}


def _hub_part(part: Any, where: str) -> Part:
    classes = {name: getattr(feature, "names", None) or () for name, feature in part.features.items()}
    return _table(part.with_format("arrow")[:], where, classes)


def _table(table: Any, where: str, classes: Mapping[str, Sequence[str]]) -> Part:
    """The part of a pyarrow table; `classes` are the known class names of its columns."""
    import pyarrow.types as types

    if table.num_rows == 0:
        raise NacreError(f"{where} has no rows; give at least one.")
    fields = [(field.name, field.type) for field in table.schema]
    images = [
        name
        for name, type_ in fields
        if types.is_binary(type_)
        or types.is_large_binary(type_)
        or (types.is_struct(type_) and type_.get_field_index("bytes") >= 0)
    ]
    if not images:
        return frame_part(table.to_pandas(), where, classes)
    label = next((name for name, _ in fields if name.lower() in LABELS), None)
    y = None if label is None else _label_values(table.column(label).to_pandas(), label, where)
    notes = _paired(images)
    names = tuple(classes.get(label, ())) if label else ()
    return Part(EncodedImages(table.column(images[0])), y, classes=names, notes=notes)


def frame_part(frame: Any, where: str, classes: Mapping[str, Sequence[str]], folder: Path = Path()) -> Part:
    """The part of a pandas data frame: images if a column holds image paths, else vectors of its numeric columns.

    Args:
        frame: The table; a column named label, labels, target, class or y of whole numbers or names is the labels.
        where: Names the source in messages.
        classes: The known class names of its columns.
        folder: What image paths are relative to.

    Raises:
        NacreError: If it has no rows, no column but the labels, or several of one name.
    """
    from pandas.api.types import is_float_dtype, is_numeric_dtype

    notes = []
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise NacreError(f"{where} has several columns {twice!r}; give each a name of its own.")
    if frame.columns[0] == "Unnamed: 0":
        frame = frame.iloc[:, 1:]
        notes.append("the first column has no name and is taken for a row number; it is left out")
    if not len(frame):
        raise NacreError(f"{where} has no rows; give at least one.")
    label = next((name for name in frame.columns if name.lower() in LABELS), None)
    # A target of fractions is a quantity, not a class, and a column like any other.
    if label and is_float_dtype(frame[label]) and (frame[label].dropna() % 1 != 0).any():
        label = None
    values = frame.drop(columns=label) if label else frame
    y = _label_values(frame[label], label, where) if label else None
    names = tuple(classes.get(label, ())) if label else ()
    text = [name for name in values.columns if not is_numeric_dtype(values[name])]
    images = [name for name in text if values[name].astype(str).str.lower().str.endswith(SUFFIXES).all()]
    if images:
        paths = [folder / name for name in values[images[0]]]
        return Part(EncodedImages(paths), y, classes=names, notes=(*notes, *_paired(images)))
    if values.shape[1] == 0:
        raise NacreError(f"{where} has no column but the labels; give a table with numeric columns.")
    columns = tuple(values.columns)
    options: dict[str, Any] = {
        "classes": names,
        "columns": columns,
        "notes": tuple(notes),
        "label": label or "",
        "keys": _keys(values, text),
    }
    if not text and not values.isna().to_numpy().any():
        x = values.to_numpy(np.float64)
        check_finite(x, where, columns)
        return array_part(x, y, where, **options)
    return _mixed_part(values, y, where, text, **options)


def _keys(values: Any, text: Sequence[str]) -> tuple[str, ...]:
    """The columns that seem to name or number the rows: no value twice, and texts or rising whole numbers."""
    found = []
    for name, column in values.items() if len(values) >= FEW_ROWS else ():
        column = column.astype(str) if name in text else column  # a list, say, cannot be told from others
        numbered = name in text or ((column % 1 == 0).all() and column.is_monotonic_increasing)
        if numbered and column.is_unique:
            found.append(name)
    return tuple(found)


def _mixed_part(values: Any, y: Any, where: str, text: Sequence[str], **options: Any) -> Part:
    """The part of a table with categories or missing values: categories are numbered, what is missing is NaN."""
    x = np.empty(values.shape, np.float32)
    categories: list[tuple[str, ...]] = []
    unusable: dict[str, str] = {}
    for j, name in enumerate(values.columns):
        column = values[name]
        known = column.dropna()
        if not len(known):
            unusable[name] = f"the column {name!r} of {where} has no values; leave it out: --drop {shlex.quote(name)}"
            x[:, j] = np.nan
            categories.append(())
            continue
        if name not in text:
            x[:, j] = column.to_numpy(np.float64, na_value=np.nan)
            check_finite(x[~np.isnan(x[:, j]), j : j + 1], where, (name,))
            categories.append(())
            continue
        texts = known.astype(str)
        names = tuple(sorted(set(texts)))
        x[:, j] = np.nan
        if len(names) > MOST_CATEGORIES:
            unusable[name] = (
                f"the column {name!r} of {where} has {len(names):,} different texts, more than {MOST_CATEGORIES:,}; it "
                f"is no category: leave it out (--drop {shlex.quote(name)}), or group its values."
            )
            categories.append(())
            continue
        number = {category: i for i, category in enumerate(names)}
        x[column.notna().to_numpy(), j] = [number[text] for text in texts]
        categories.append(names)
    y = None if y is None else check_labels(y, len(x), where)
    return Part(x, y, categories=tuple(categories), unusable=unusable, **options)


def _label_values(column: Any, name: str, where: str) -> np.ndarray:
    from pandas.api.types import is_numeric_dtype

    missing = int(column.isna().sum())
    if missing:
        raise NacreError(f"the label column {name!r} of {where} has {missing} missing values; remove these rows.")
    return column.to_numpy() if is_numeric_dtype(column) else column.astype(str).to_numpy().astype(str)


def _paired(images: Sequence[str]) -> tuple[str, ...]:
    if len(images) < 2:
        return ()
    return (f"the images are of the column {images[0]!r}; they are paired with {', '.join(images[1:])}, not used here",)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
