"""Where data come from: `load_data` takes a name, a path, an array or a Hugging Face id."""

import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nacre.data import files, grammar, stacked, tables, toy
from nacre.data.attributes import measure
from nacre.data.dataset import BinarizedData, Data, LazyData, memory_limit
from nacre.data.download import data_folders, find
from nacre.data.images import EncodedImages
from nacre.data.labels import check_labels, class_names, encode_labels
from nacre.data.parts import (
    Part,
    aligned,
    array_part,
    binarized,
    join,
    resized,
    spec_of,
    with_color,
    with_columns,
    with_label,
)
from nacre.data.published import PUBLISHED
from nacre.data.soften import softened
from nacre.errors import NacreError, unknown

Parts = dict[str, Callable[[], Part]]
FILES = (".npz", ".npy", ".parquet", ".csv", ".txt")


def load_data(
    source: Any,
    *,
    split: str | None = None,
    size: int | tuple[int, int] | None = None,
    in_memory: bool | None = None,
    seed: int = 0,
    attributes: Sequence[str] = (),
    label: str = "",
    limit: int = 0,
    columns: Sequence[str] = (),
    drop: Sequence[str] = (),
    color: str = "",
    soften: float = 0.0,
) -> Data:
    """Data from a name, a path, an array or a Hugging Face id.

    A source without splits of its own is split 90/10 into train and test by a seeded permutation.

    Args:
        source: A toy set ("ring", "grid", "swiss-roll", "grammar"); a published set ("digits", "mnist",
            "fashion-mnist", "binarized-mnist", "mnist-dynamic", "stacked-mnist", "stacked-mnist-2", "cifar10"); the
            name of a folder or file in NACRE_DATA; the path of an image or of a folder of images, of a .npz, .npy,
            .parquet or .csv file, or of a .txt file with one string on every line; "hf:owner/name"; an array, tensor
            or data frame x, or a pair (x, y); or `Data`, which is returned as it is.
            A name may end in a split: "mnist:test".
        split: "train" (the default of a name), "validation", "test" or "all" (the default of an array).
        size: The side, or (height, width), that images are resized and cropped to; positive.
        in_memory: Whether images are decoded at once; None does so up to the bytes of NACRE_MEMORY, by default a
            quarter of the physical memory.
        seed: Draws the split of a source without splits, the points of a toy set and the digits of a stack.
        label: The column of a table that holds the labels, where it has no telling name.
        attributes: Measure these of every image, as conditions for models: "ink", "slant", "thickness".
        limit: Keep only so many training examples, drawn by `seed`, to see what few data do; 0 keeps all.
        columns: Keep only these columns of a table beside the labels; "categories" keeps all columns of categories.
        drop: Leave these columns of a table out, which may be that of the labels.
        color: Make images "grey", "rgb" or "rgba".
        soften: How far every training batch of binary images is drawn anew, given each pixel's neighbours, in [0, 1].

    Raises:
        NacreError: If the source is unknown, missing, empty, damaged, mixed in size or not finite.
    """
    if isinstance(source, Data):
        return source
    name = ""
    if isinstance(source, str | os.PathLike):
        name, named = _split_name(os.fspath(source))
        if name in stacked.CHANNELS:
            if label or columns or drop or color or attributes:
                raise NacreError(f"{name} has a size alone; leave label, columns, drop, color and attributes out.")
            return limited(_stacked(name, split or named or "train", size, seed), limit, seed)
        parts, split, source = _open(name, seed), split or named or "train", name
    else:
        x, y = source if isinstance(source, tuple) and len(source) == 2 else (source, None)
        parts, split = {"all": lambda: _array(x, y)}, split or "all"
    if label:
        parts = {part: partial(_labelled, load, label) for part, load in parts.items()}
    if columns or drop:
        parts = {part: partial(_narrowed, load, tuple(columns), tuple(drop)) for part, load in parts.items()}
    for option, value in (("label", label), ("columns", columns), ("drop", drop), ("attributes", attributes)):
        if isinstance(value, str) != (option == "label"):
            raise NacreError(f"{option} is {value!r}; give {'a name' if option == 'label' else 'a list of names'}.")
    sides = _sides(size)
    splits, part, reference = _pick(parts, split, seed, name or "this array")
    for why in ({**part.unusable, **reference.unusable}[column] for column in part.columns if column in part.unusable):
        raise NacreError(why)
    if not any(isinstance(p.x, EncodedImages) or p.x.shape[2:] != sides for p in (part, reference)):
        size = None  # what is of this size already is not resized
    part, reference = (with_color(binarized(resized(p, sides)), color) for p in (aligned(part, reference), reference))
    if isinstance(part.x, EncodedImages) and isinstance(reference.x, EncodedImages):
        part = replace(part, x=part.x.like(reference.x.mode, sides))
    classes = class_names(reference)
    labels = encode_labels(part, classes)
    options: dict[str, Any] = {
        "y": None if labels is None else torch.from_numpy(labels),
        "spec": spec_of(reference, classes, Path(name).stem if name else ""),
        "unit": part.x.unit if isinstance(part.x, EncodedImages) else part.unit,
        "name": name,
        "split": split,
        "splits": splits,
        "density": toy.density(name) if name in toy.TOYS else grammar.GRAMMARS.get(name),
        "notes": (*part.notes, *_about_keys(part)),
        "size": size,
        "label": part.label,
        "columns": part.columns if drop else tuple(columns),
        "color": color,
        "files": part.x.files if isinstance(part.x, EncodedImages) else (),
        "reload": partial(
            load_data,
            source,
            size=size,
            in_memory=in_memory,
            seed=seed,
            attributes=attributes,
            label=label,
            limit=limit,
            columns=columns,
            drop=drop,
            color=color,
            soften=soften,
        ),
    }
    if not isinstance(part.x, EncodedImages):
        kind = BinarizedData if part.binarize == "afresh" else Data
        data = kind(torch.from_numpy(np.require(part.x, requirements=["C", "W"])), **options)
    elif in_memory or (in_memory is None and part.x.decoded_bytes <= memory_limit()):
        data = Data(torch.from_numpy(part.x.decode()), **options)
    else:
        data = LazyData(part.x, **options)
    data.cut, data.seed = len(parts) == 1, seed
    data = limited(data, limit, seed)
    data = softened(data, soften) if soften else data
    return _measured(data, tuple(attributes)) if attributes else data


def limited(data: Data, limit: int, seed: int) -> Data:
    """The data with only so many of its training examples; those to judge by stay whole.

    Raises:
        NacreError: The limit is negative, or larger than the training part.
    """
    if not limit or data.split != "train":
        return data
    if not 0 < limit <= len(data):
        raise NacreError(f"limit is {limit}; choose between 2 and the {len(data)} training examples.")
    few = data.subset(torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:limit])
    few.limit = limit
    return few


def _about_keys(part: Part) -> tuple[str, ...]:
    """A sentence on the columns that may say nothing of their rows, where there are some and not these alone."""
    found = [name for name in part.keys if name in part.columns]
    if not found or len(found) == len(part.columns):
        return ()
    names, kind = ", ".join(map(repr, found)), "columns" if len(found) > 1 else "column"
    is_, it = ("are", "they name or number") if len(found) > 1 else ("is", "it names or numbers")
    return (f"the {kind} {names} {is_} different in every row; if {it} the rows, leave out by --drop "
            f"{shlex.join(found)}",)  # fmt: skip


def first_part(source: str) -> Part | None:
    """What a source by name holds, before it is resized and a column of a table is refused; None of stacked digits."""
    name, _ = _split_name(source)
    return None if name in stacked.CHANNELS else next(iter(_open(name, 0).values()))()


def _labelled(load: Callable[[], Part], name: str) -> Part:
    return with_label(load(), name)


def _narrowed(load: Callable[[], Part], names: tuple[str, ...], drop: tuple[str, ...]) -> Part:
    return with_columns(load(), names, drop)


def _measured(data: Data, attributes: tuple[str, ...]) -> Data:
    """The data with attributes measured of its images.

    Raises:
        NacreError: The data are no images, or an attribute cannot be measured.
    """
    if data.spec.kind != "image":
        raise NacreError(f"attributes are measured of images, these data are {data.spec.kind}s; leave them out.")
    parts = [
        measure(data.batch(index.to(data.device)).x.cpu(), attributes) for index in torch.arange(len(data)).split(5_000)
    ]
    return data.with_attributes(attributes, torch.cat(parts))


def known_names() -> list[str]:
    """The names that `load_data` knows: published and toy sets, and what is in the folders of NACRE_DATA."""
    own = [
        place.stem
        for folder in data_folders()
        for place in sorted(folder.iterdir())
        if (place.is_dir() and files.split_tables(place)) or place.suffix in FILES
    ]
    return list(dict.fromkeys([*PUBLISHED, *stacked.CHANNELS, *toy.TOYS, *grammar.GRAMMARS, *own]))


def _split_name(text: str) -> tuple[str, str | None]:
    match = re.fullmatch(r"(.+):(train|validation|test|all)", text, re.DOTALL)
    return (match[1], match[2]) if match else (text, None)


def _open(name: str, seed: int) -> Parts:
    if name.startswith("hf:"):
        return tables.hub(name.removeprefix("hf:"))
    if name in PUBLISHED:
        return PUBLISHED[name]()
    if name in toy.TOYS:
        return {split: partial(_toy, name, split, seed) for split in ("train", "test")}
    if name in grammar.GRAMMARS:
        return {split: partial(grammar.draw, name, split, seed) for split in ("train", "test")}
    if path := _path(name):
        return files.open_path(path)
    base, colon, split = name.rpartition(":")
    if colon and (base in known_names() or _path(base)):
        raise NacreError(f"{split!r} is no split; write {base}:train, {base}:validation, {base}:test or {base}:all.")
    if "/" in name or "\\" in name or Path(name).suffix:
        raise NacreError(f"there is no file or folder {name}; check the path, or name a set such as mnist.")
    raise unknown("data set", name, known_names(), "For a folder or file give its path, such as ./photos.")


def _path(name: str) -> Path | None:
    path = Path(name).expanduser()
    return path if path.exists() else find(name, *(name + suffix for suffix in FILES))


def _toy(name: str, split: str, seed: int) -> Part:
    x, y = toy.draw(name, split, seed)
    return Part(x.numpy(), None if y is None else y.numpy())


def _stacked(name: str, split: str, size: int | tuple[int, int] | None, seed: int) -> Data:
    splits = tuple(stacked.COUNTS)
    if split not in splits:
        raise NacreError(f"{name} has no split {split!r}; it has {', '.join(splits)}.")
    digits = load_data("mnist", split=split, size=size)
    return stacked.StackedData(
        digits,
        stacked.table(len(digits), stacked.CHANNELS[name], split, seed),
        name=name,
        split=split,
        splits=splits,
        size=size,
        notes=(f"every channel is a random digit of MNIST's {split} part",),
        reload=partial(load_data, name, size=size, seed=seed),
    )


def _pick(parts: Parts, split: str, seed: int, name: str) -> tuple[tuple[str, ...], Part, Part]:
    """The splits there are, the part of the one wanted, and the training part that gives classes and units."""
    own = len(parts) > 1
    splits = (*parts, "all") if own else ("train", "test", "all")
    if split not in splits:
        raise NacreError(f"{name} has no split {split!r}; it has {', '.join(splits)}.")
    if not own:
        whole = next(iter(parts.values()))()
        order = np.random.default_rng(seed).permutation(len(whole))
        n_test = round(len(whole) / 10)
        train = whole.take(np.sort(order[n_test:]))
        if split == "test" and n_test == 0:
            raise NacreError(f"{name} has too few examples ({len(whole)}) for a test split; write split all.")
        part = {"train": train, "test": whole.take(np.sort(order[:n_test])), "all": whole}[split]
        # Every class counts, even one that the split leaves out of the training part.
        return splits, part, replace(train, classes=class_names(whole))
    training = "train" if "train" in parts else next(iter(parts))
    if split == "all":
        loaded = [load() for load in parts.values()]
        return splits, join(loaded), loaded[list(parts).index(training)]
    part = parts[split]()
    knows = part.is_image and not isinstance(part.x, EncodedImages) and (part.y is None or part.classes)
    return splits, part, part if split == training or knows else parts[training]()


def _array(x: Any, y: Any) -> Part:
    if hasattr(x, "iloc") and hasattr(x, "columns"):
        part = tables.frame_part(x.rename(columns=str), "the data frame", {})
        return part if y is None else replace(part, y=check_labels(_plain(y), len(part), "the data frame"))
    return array_part(_plain(x), None if y is None else _plain(y))


def _plain(x: Any) -> Any:
    if not isinstance(x, Tensor):
        return x
    x = x.detach().cpu()
    return (x.float() if x.dtype == torch.bfloat16 else x).numpy()


def _sides(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise NacreError(f"the size {size} is not positive; give one such as 32.")
    return height, width
