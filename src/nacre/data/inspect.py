"""Look at a data set: what it holds, what is odd about it, and which model to start with."""

import math
import shlex
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nacre.data.dataset import Data, LazyData
from nacre.pictures import histograms, new_figure, plain, save_grid

LOOKED_AT = 2000


def inspect(data: Data) -> dict[str, Any]:
    """What a data set holds, in plain values for JSON or a table.

    Of data that is decoded batch by batch, 2,000 seeded examples are looked at; `examined` says how many.

    Args:
        data: Any data.

    Returns:
        name, split, splits, kind, shape, n, labelled, classes (counts by name), balance (smallest class / largest),
        examined, minimum, maximum, mean, nan (a count), constant (names of columns, or a count of pixels),
        duplicates (examples equal to an earlier one), storage, bytes, warnings and notes (sentences), suggestion
        (model, flags, command, why), for tables columns (a list, see `columns`), and least value, mean and greatest
        value of each of the attributes where there are some.
    """
    spec, n = data.spec, len(data)
    looked = data
    if isinstance(data, LazyData) and n > LOOKED_AT:
        looked = data.subset(torch.randperm(n, generator=torch.Generator().manual_seed(0))[:LOOKED_AT])
    low, high, total, nan, rows = _scan(looked)
    flat = low == high
    names = spec.names
    constant = [names[i] for i in flat.nonzero().flatten().tolist()]
    counts = None if data.y is None else torch.bincount(data.y.cpu(), minlength=len(spec.classes)).tolist()
    found = {
        "name": data.name,
        "split": data.split,
        "splits": list(data.splits),
        "kind": spec.kind,
        "shape": list(spec.shape),
        "n": n,
        "labelled": data.y is not None,
        "classes": {} if counts is None else dict(zip(spec.classes, counts, strict=True)),
        "balance": None if counts is None else min(counts) / max(counts),
        "examined": len(looked),
        "minimum": low.min().item(),
        "maximum": high.max().item(),
        "mean": total / max(1, len(looked) * spec.size - nan),
        "nan": nan,
        "constant": constant if spec.kind != "image" else len(constant),
        "duplicates": len(looked) - rows,
        "storage": str(data.storage).removeprefix("torch."),
        "bytes": n * spec.size * data.storage.itemsize,
        "notes": list(data.notes),
    }
    if looked.a is not None:
        measured = {name: a[a.isfinite()] for name, a in zip(spec.attributes, looked.a.T.cpu(), strict=True)}
        found["attributes"] = {
            name: [float(a.min()), float(a.mean()), float(a.max())] for name, a in measured.items() if len(a)
        }
    if spec.columns:
        found["columns"] = columns(looked)
    return {**found, "warnings": _warnings(data, found), "suggestion": suggestion(data)}


def columns(data: Data) -> list[dict[str, Any]]:
    """What each column of a table holds: its name, how many values are missing, and numbers or categories.

    Numbers have minimum, maximum and mean, and say whether all are whole; categories their counts by name, the most
    frequent first. A column without any known value has neither.
    """
    spec, x = data.spec, data.examples().x.cpu()
    found = []
    for j, (name, names) in enumerate(zip(spec.columns, spec.categories or ((),) * spec.size, strict=True)):
        known = x[:, j][~x[:, j].isnan()]
        about: dict[str, Any] = {"name": name, "missing": len(x) - len(known)}
        if names:
            counts = torch.bincount(known.long(), minlength=len(names)).tolist()
            by_frequency = sorted(range(len(names)), key=lambda i: -counts[i])
            about["categories"] = {names[i]: counts[i] for i in by_frequency}
        elif len(known):
            about |= {"minimum": float(known.min()), "maximum": float(known.max()), "mean": float(known.mean())}
            about["whole"] = name in spec.whole
        found.append(about)
    return found


def suggestion(data: Data) -> dict[str, str]:
    """A model to start with: its name, its flags, the whole command line, and why in one sentence."""
    spec, flags = data.spec, []
    if spec.kind == "image":
        side = max(spec.shape[1:])
        if side <= 32:
            model, why = "vae", "small images train in minutes, with a bound on the likelihood and an encoder"
        else:
            model, why = "dcgan", "a convolutional GAN draws sharper images of this size than a small VAE"
        if side > 128:
            flags.append("--size 64")
            why += "; start at a smaller size"
    elif spec.kind == "sequence":
        model, why = "lstm", "strings train in minutes, with an exact likelihood"
    elif spec.mixed:
        model, why = "tabular-vae", "it takes categories and missing values, with a bound on the likelihood"
    elif spec.size <= 3 and not spec.bounded:
        model, why = "wgan-gp", "a critic with a gradient penalty covers the separate modes of points in few dimensions"
    else:
        model, why = "vae", "a table trains in minutes, with a bound on the likelihood and an encoder"
        if spec.size <= 32:
            flags.append(f"--latent {max(2, spec.size // 2)}")
    if len(data) < 128:
        flags.append(f"--batch-size {max(1, len(data) // 2)}")
    words = ["nacre train", model, shlex.quote(data.name) if data.name else "DATA", *flags]
    return {"model": model, "flags": " ".join(flags), "command": " ".join(words), "why": why + "."}


def contact_sheet(data: Data, path: str | Path, n: int = 64, seed: int = 0) -> Path:
    """Write a picture of a seeded random subset: a grid of images, a page of strings, or plots of vectors.

    Vectors of up to two values are points, others have a histogram for each of their first 36 columns.

    Args:
        data: Any data.
        path: A file name whose ending says the format, such as sheet.png.
        n: How many images; of vectors at least 2,000 points are shown.
        seed: Draws the subset.

    Returns:
        The path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if data.spec.kind != "vector":
        save_grid(data.examples(n, seed).x, path, data.spec)
    elif data.spec.size <= 2:
        _scatter(data, path, max(n, LOOKED_AT), seed)
    else:
        histograms(data.examples(max(n, LOOKED_AT), seed).x, data.spec).savefig(path)
    return path


def _scan(data: Data) -> tuple[Tensor, Tensor, float, int, int]:
    """The least and greatest value per column, the sum, the number of NaN, the number of different rows."""
    low, high = torch.full((data.spec.size,), math.inf), torch.full((data.spec.size,), -math.inf)
    total, nan, seen = 0.0, 0, set()
    for index in torch.arange(len(data), device=data.device).split(4096):
        x = data.batch(index).x.flatten(1).cpu()  # (n, d)
        low = torch.minimum(low, x.nan_to_num(torch.inf, torch.inf, -torch.inf).amin(0))
        high = torch.maximum(high, x.nan_to_num(-torch.inf, torch.inf, -torch.inf).amax(0))
        total += x.nansum(dtype=torch.float64).item()
        nan += int(x.isnan().sum())
        seen.update(hash(row.tobytes()) for row in x.numpy())
    return low, high, total, nan, len(seen)


def _warnings(data: Data, found: dict[str, Any]) -> list[str]:
    spec, n, words = data.spec, len(data), []
    if n < 1000:
        words.append(f"there are only {n} examples, so a model may memorise them: look at nearest neighbours")
    if found["duplicates"]:
        words.append(f"{found['duplicates']} of {found['examined']} examples equal an earlier one exactly")
    if found["constant"] and spec.kind == "vector":
        words.append(f"constant columns carry nothing and can be left out: {', '.join(found['constant'])}")
    empty = [name for name, count in found["classes"].items() if count == 0]
    if empty:
        words.append(f"classes without examples: {', '.join(empty)}")
    elif found["balance"] is not None and found["balance"] < 0.1:
        words.append(f"the smallest class has {found['balance']:.1%} of the examples of the largest")
    if spec.kind == "image" and spec.shape[0] == 4:
        words.append("the fourth channel is transparency, which is modelled like a colour")
    side = math.isqrt(spec.size)
    if spec.kind == "vector" and side >= 8 and side * side == spec.size and not spec.columns:
        words.append(f"{spec.size} columns may be images of {side} x {side}: reshape them to (n, {side}, {side})")
    if isinstance(data, LazyData):
        words.append("the images are decoded batch by batch, which is slower than from memory: try a smaller --size")
    return words


def _scatter(data: Data, path: Path, n: int, seed: int) -> None:
    batch = data.examples(n, seed)
    x = batch.x.cpu().numpy()
    figure, axes = new_figure(5, 5)
    if x.shape[1] == 1:
        axes.hist(x[:, 0], bins=60)
        axes.set_xlabel(plain(data.spec.names[0]))
    else:
        colours = {"c": batch.y.cpu().numpy(), "cmap": "turbo"} if "y" in batch else {}
        axes.scatter(x[:, 0], x[:, 1], s=4, **colours)
        axes.set(xlabel=plain(data.spec.names[0]), ylabel=plain(data.spec.names[1]))
    figure.savefig(path)
