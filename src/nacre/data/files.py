"""Files and folders of a user: NumPy archives, tables and folders of images."""

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nacre.data import strings, tables
from nacre.data.images import SUFFIXES, EncodedImages
from nacre.data.parts import Part, array_part
from nacre.errors import NacreError

Parts = dict[str, Callable[[], Part]]

SPLITS = ("train", "validation", "test")
ALIASES = {"train": ("train", "training"), "validation": ("validation", "valid", "val"), "test": ("test",)}
EXAMPLES = ("x", "images", "data")
LABELS = ("y", "labels", "label", "target")


def open_path(path: Path) -> Parts:
    """The splits of a file or folder: its own, or the one called "all"."""
    if path.is_dir():
        return split_tables(path) or image_folder(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return npz(path)
    if suffix == ".npy":
        return {"all": lambda: array_part(_load(path), where=str(path))}
    if suffix == ".parquet":
        return {"all": lambda: tables.parquet([path])}
    if suffix in (".csv", ".tsv"):
        return {"all": lambda: tables.csv(path)}
    if suffix == ".txt":
        return {"all": lambda: strings.text_file(path)}
    if suffix in SUFFIXES:
        return {"all": lambda: Part(EncodedImages([path]))}
    raise NacreError(
        f"{path} is of no known type; give an image or a folder of images, or a .npz, .npy, .parquet, .csv, .tsv or "
        f".txt file."
    )


def split_tables(folder: Path) -> Parts:
    """The Parquet or CSV files of a folder that are named by split: train.parquet, train-*.parquet, train.csv."""
    parts: Parts = {}
    for split in SPLITS:
        for alias in ALIASES[split]:
            shards = [*sorted(folder.glob(f"{alias}.parquet")), *sorted(folder.glob(f"{alias}-*.parquet"))]
            if shards:
                parts[split] = partial(tables.parquet, shards)
            elif (folder / f"{alias}.csv").exists():
                parts[split] = partial(tables.csv, folder / f"{alias}.csv")
    return parts


def image_folder(folder: Path) -> Parts:
    """A folder of images: its sub-folders are splits if they are so named, else classes."""
    found = {name.name.lower(): name for name in _folders(folder)}
    named = {split: found[alias] for split in SPLITS for alias in ALIASES[split] if alias in found}
    if "train" in named:
        return {split: partial(_images, place) for split, place in named.items()}
    return {"all": partial(_images, folder)}


def npz(path: Path, classes: tuple[str, ...] = ()) -> Parts:
    """A NumPy archive: x and y, or x_train, y_train, x_test ..., or one array of any name.

    With a key `shape` the rows of x are packed bits of examples of that shape.

    Args:
        path: The file.
        classes: The names of the labels where they are known.

    Raises:
        NacreError: If it does not open, holds objects, or has other keys.
    """
    keys = {key.lower(): key for key in _load(path, "files")}
    parts: Parts = {}
    for split in SPLITS:
        for alias in ALIASES[split]:
            orders = [f"{{}}_{alias}", f"{alias}_{{}}"]
            x = _first(keys, [order.format(name) for order in orders for name in EXAMPLES])
            y = _first(keys, [order.format(name) for order in orders for name in LABELS])
            if x:
                parts[split] = partial(_npz_part, path, x, y, classes)
    if parts:
        return parts
    x = _first(keys, EXAMPLES) or (next(iter(keys.values())) if len(keys) == 1 else None)
    if x is None:
        raise NacreError(f"{path} has the arrays {', '.join(keys.values())}; call them x and y, or x_train and x_test.")
    return {"all": partial(_npz_part, path, x, _first(keys, LABELS), classes)}


def _first(keys: dict[str, str], names: Any) -> str | None:
    return next((keys[name] for name in names if name in keys), None)


def _npz_part(path: Path, x_key: str, y_key: str | None, classes: tuple[str, ...]) -> Part:
    x, y = _load(path, x_key), None if y_key is None else _load(path, y_key)
    if "shape" in _load(path, "files"):
        shape = tuple(int(side) for side in _load(path, "shape"))
        x = np.unpackbits(x, axis=1, count=int(np.prod(shape))).reshape(-1, *shape)
    return array_part(x, y, str(path), classes=() if y is None else classes)


def _load(path: Path, key: str = "") -> Any:
    """The array of a .npy file; of a .npz file the array of a key, or the keys by the key "files"."""
    try:
        # Opened here, since NumPy leaves a damaged archive open.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            with loaded:
                return loaded.files if key == "files" else loaded[key]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        if "pickle" in str(error):
            raise NacreError(
                f"{path} holds Python objects, which nacre does not unpickle because they can run code; save arrays "
                "of numbers, all of one shape."
            ) from error
        raise NacreError(f"{path} does not open as a NumPy file ({error}); save it again with NumPy.") from error


def _folders(folder: Path) -> list[Path]:
    return sorted(place for place in folder.iterdir() if place.is_dir() and not place.name.startswith((".", "__")))


def _image_paths(folder: Path, pattern: str) -> list[Path]:
    found = (path for path in folder.glob(pattern) if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def _images(folder: Path) -> Part:
    classes = {place.name: _image_paths(place, "**/*") for place in _folders(folder)}
    classes = {name: paths for name, paths in classes.items() if paths}
    beside = _image_paths(folder, "*")
    if len(classes) > 1 and not beside:
        paths = [path for group in classes.values() for path in group]
        return Part(EncodedImages(paths), np.repeat(list(classes), [len(group) for group in classes.values()]))
    paths = _image_paths(folder, "**/*")
    if not paths:
        kinds = ", ".join(suffix[1:] for suffix in SUFFIXES)
        raise NacreError(f"the folder {folder} has no images ({kinds}) and no train.parquet; give another folder.")
    notes = ()
    if len(classes) > 1:
        them = "them" if len(beside) > 1 else "it"
        many = f"{len(beside)} images lie" if len(beside) > 1 else f"the image {beside[0].name} lies"
        notes = (f"{many} beside the folders {', '.join(classes)}, so that these are no classes: move {them} into one",)
    return Part(EncodedImages(paths), notes=notes)
