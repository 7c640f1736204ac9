"""Examples and codes to files: arrays, tables, pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError

LABELLED = (".npz", ".csv", ".parquet")


def unused(out: Path | None) -> None:
    """Refuse a place for results where something is, before there is work to lose; an empty folder is none.

    Raises:
        NacreError: There is a file, or a folder with something in it.
    """
    if out is not None and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise NacreError(f"{out} is there already and is not overwritten; remove it, or choose another --out.")


def write(
    x: Tensor,
    spec: Spec | None,
    out: Path | None = None,
    grid: Path | None = None,
    columns: int | None = None,
    beside: Mapping[str, Sequence[str | None]] | None = None,
) -> None:
    """Write values to `out` by its suffix and to `grid` as a picture, and say where; print strings without an `out`.

    Args:
        x: Shape (n, ...).
        spec: What they are; None for latent codes, which are vectors.
        out: .npy, .npz, .csv, .parquet, for strings .txt, or a folder for one PNG each.
        grid: A PNG.
        columns: Pictures per row of the grid.
        beside: Further columns of a table, its last.

    Raises:
        NacreError: The suffix is unknown, or the place cannot be written.
    """
    import numpy as np

    from nacre.data.strings import strings
    from nacre.pictures import save_grid

    lines = strings(x, spec) if spec is not None and spec.kind == "sequence" else []
    values = x.detach().cpu().numpy()
    try:
        if grid is not None:
            if spec is None:
                raise NacreError("latent codes are no pictures; use --out codes.npy.")
            save_grid(x, writable_picture(grid), spec, columns)
            print(grid)
        if out is None:
            print("\n".join(lines), end="\n" if lines else "")
            return
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix == ".npy":
            np.save(out, values)
        elif out.suffix == ".npz":
            np.savez_compressed(out, x=values)
        elif out.suffix == ".txt" and lines:
            out.write_text("\n".join(lines) + "\n", encoding="utf-8")
        elif out.suffix in (".csv", ".parquet"):
            table(values.reshape(len(values), -1), spec, out, beside)
        elif not out.suffix and spec is not None and spec.kind == "image":
            images(values, out)
        else:
            kinds = ".npy, .npz, .csv, .parquet, for strings .txt, or for images a folder"
            raise NacreError(f"--out {out}: use {kinds}; a picture of all goes to --grid.")
        print(out)
    except OSError as error:
        raise NacreError(f"cannot write {error.filename or out}: {error.strerror}; choose another place.") from error


def write_pairs(x: Tensor, y: Tensor, spec: Spec, place: Path, columns: int) -> None:
    """Write a picture of pairs as `save_pairs` draws them, and say where.

    Raises:
        NacreError: It is no PNG, or the place cannot be written.
    """
    from nacre.pictures import save_pairs

    try:
        save_pairs(x.cpu(), y.cpu(), writable_picture(place), spec, columns)
    except OSError as error:
        raise NacreError(f"cannot write {error.filename or place}: {error.strerror}; choose another place.") from error
    print(place)


def write_examples(x: Tensor, data: Data, spec: Spec, out: Path) -> None:
    """Write what was made of the examples of data, beside their labels where the format has a place for them.

    Args:
        x: Shape (n, *spec.shape).
        data: n examples.
        spec: What x is.
        out: As for `write`.
    """
    if data.y is None or out.suffix not in LABELLED:
        write(x, spec, out)
        return
    write_labelled(x, data.y.tolist(), replace(spec, classes=data.spec.classes), out, free_column(data.label, spec))


def free_column(name: str, spec: Spec) -> str:
    """A name for a column of labels: its own, or "label", with underscores where a table has that already."""
    name = name or "label"
    while name in spec.columns:
        name += "_"
    return name


def rounded(x: Tensor, spec: Spec) -> Tensor:
    """Rows with whole numbers in the columns that held such only, (n, *shape)."""
    whole = [spec.columns.index(name) for name in spec.whole]
    if whole:
        x = x.clone()
        x[:, whole] = x[:, whole].round()
    return x


def write_labelled(x: Tensor, labels: Sequence[int], spec: Spec, out: Path, column: str) -> None:
    """Write labelled examples as `load_data` reads them: a folder for each class, an .npz with `x` and `y`, or a table.

    Args:
        x: Shape (n, *spec.shape).
        labels: The class of each, by number; -1 where it is unknown.
        spec: What they are.
        out: A folder, or an .npz, .csv or .parquet file.
        column: The name of a table's column of labels.

    Raises:
        NacreError: The place cannot be written.
    """
    import numpy as np

    values = x.detach().cpu().numpy()
    if out.suffix not in LABELLED and (out.suffix or spec.kind != "image"):
        raise NacreError(f"--out {out}: use a folder for images, or an .npz, .csv or .parquet file.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix == ".npz":
            np.savez_compressed(out, x=values, y=np.asarray(labels))
        elif out.suffix:
            names = [spec.classes[label] if label >= 0 else None for label in labels]
            table(values.reshape(len(values), -1), spec, out, {column: names})
        else:
            for number, name in enumerate(spec.classes):
                chosen = [i for i, label in enumerate(labels) if label == number]
                images(values[chosen], out / name.replace("/", "-"))
    except OSError as error:
        raise NacreError(f"cannot write {error.filename or out}: {error.strerror}; choose another place.") from error
    print(out)


def writable_picture(path: Path) -> Path:
    """The path of a picture, checked.

    Raises:
        NacreError: It is no PNG.
    """
    if path.suffix.lower() != ".png":
        raise NacreError(f"the picture {path} must end in .png.")
    return path


def table(
    values: object, spec: Spec | None, out: Path, beside: Mapping[str, Sequence[str | None]] | None = None
) -> None:
    """Rows as CSV or Parquet, under the data's own column and category names where it has them, or one of strings.

    `beside` are further columns, the last.
    """
    import pandas as pd
    import torch

    from nacre.data.strings import strings

    if spec is not None and spec.kind == "sequence":
        frame = pd.DataFrame({"string": strings(torch.as_tensor(values), spec)})
    else:
        frame = pd.DataFrame(values)
        named = spec is not None and spec.size == frame.shape[1]
        frame.columns = list(spec.names) if spec and named else [f"x{i}" for i in range(frame.shape[1])]
        for name, names in zip(frame.columns, spec.categories if spec else (), strict=False):
            if names:
                frame[name] = [names[int(v)] if v == v else None for v in frame[name]]
        for name in spec.whole if spec else ():
            if bool((frame[name].dropna() % 1 == 0).all()):
                frame[name] = frame[name].astype("Int64")
    for name, column in (beside or {}).items():
        frame[name] = list(column)
    frame.to_csv(out, index=False) if out.suffix == ".csv" else frame.to_parquet(out)


def write_completed(source: Path, x: Tensor, changed: Tensor, spec: Spec, out: Path) -> None:
    """Write a CSV file with some of its values filled in, and everything else as it was written there.

    Args:
        source: The file, a row for each example.
        x: The rows that the values are taken from, shape (n, d).
        changed: True where a value is to be filled in, (n, d).
        spec: What they are.
        out: The new file.
    """
    from nacre.data.tables import text_frame

    frame, options = text_frame(source)
    for j, name in enumerate(spec.columns):
        rows = changed[:, j].nonzero().flatten().tolist()
        names, whole = spec.categories[j] if spec.categories else (), name in spec.whole
        values = [float(x[row, j]) for row in rows]
        frame.loc[rows, name] = [names[int(v)] if names else str(round(v)) if whole else f"{v:.7g}" for v in values]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(out, index=False, **options)
    except OSError as error:
        raise NacreError(f"cannot write {error.filename or out}: {error.strerror}; choose another place.") from error
    print(out)


def print_columns(spec: Spec, true: Tensor, found: Tensor, columns: Iterable[int]) -> None:
    """Print how near the known values of some columns of a table were found: one line each.

    Args:
        spec: What the columns are.
        true: Rows (n, d), NaN where a value is missing.
        found: What was found in their place, likewise.
        columns: Their places.
    """
    for j in columns:
        name, known = spec.names[j], true[:, j].isfinite() & found[:, j].isfinite()
        was, now = true[known, j], found[known, j]
        if spec.categories and spec.categories[j]:
            print(f"{name}: {(was == now).float().mean():.1%} right of {len(was)} examples")
        else:
            print(f"{name}: mean absolute error {(was - now).abs().mean():.4g} over {len(was)} examples")


def images(values: object, folder: Path) -> None:
    """One PNG per example: 00000.png, 00001.png ..."""
    import torch
    from PIL import Image

    from nacre.pictures import grid

    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(torch.as_tensor(values)):
        Image.fromarray(grid(image[None])).save(folder / f"{i:05d}.png")
