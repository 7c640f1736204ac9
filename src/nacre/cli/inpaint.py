"""`nacre inpaint`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from nacre.cli.output import print_columns, rounded, unused, write, write_completed, write_examples
from nacre.errors import NacreError, at_least

if TYPE_CHECKING:
    from torch import Tensor

FEW = 16


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = "",
    *,
    mask: str = "",
    columns: tuple[str, ...] = (),
    n: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None,
    draws: int = 3,
    steps: int = 50,
    seed: int = 0,
    grid: Path | None = None,
    out: Path | None = None,
) -> None:
    """Fill in what is missing of examples; the picture shows hidden, filled in and true.

    Of images a part is hidden first, of tables the columns that are named. Without any named, only what is missing of
    a table is filled in: `nacre inpaint RUN people.csv --out complete.csv`. A conditional model is told the labels and
    attributes where the data have them.

    Args:
        run: The run folder.
        data: What to fill in; by default held-out examples of the run's own data.
        mask: What is hidden of images: top, bottom (the default), left, right, center, or random:0.5.
        columns: What is hidden of tables: the columns' names, instead of --mask.
        n: How many examples, drawn at random; by default 16, but with DATA and --out all in their order.
        draws: How many times each image of the picture is filled in.
        steps: Steps of the chain that draws the values.
        seed: Seed of the choice and of the draws.
        grid: Write a picture of images here; the default is inpainted.png in the run folder.
        out: Write the first draw of every example here, as `nacre sample` does, with the labels where there are some. A
            whole CSV file goes to a .csv with all that is in it, where only what was filled in changes.
    """
    import torch

    from nacre.api import load
    from nacre.cli.input import some
    from nacre.impute import impute, region
    from nacre.model import Model
    from nacre.nets.conditions import told

    unused(out)
    at_least(1, draws=draws)
    model = load(run)
    spec = model.spec
    source = some(run, data, n, FEW, seed, out)
    batch = source.examples(seed=seed)
    x = batch.x.cpu()
    names = spec.names
    is_image = spec.kind == "image"
    if is_image and columns:
        raise NacreError("images have no columns; say what is hidden of them by --mask.")
    gone = region(mask or "bottom", spec.shape, seed) if is_image else hidden(columns, names)
    if not is_image and (mask or grid is not None):
        raise NacreError("--mask and --grid are for images; say by --columns what is hidden of a table.")
    if not is_image and not columns:
        if not x.isnan().any():
            raise NacreError(f"nothing is missing of these rows; say which --columns to hide: {', '.join(names)}.")
        if out is None:
            raise NacreError("say where to write the rows that are filled in, such as --out complete.csv.")
    random = type(model).redraw is not Model.redraw  # else every draw is the same
    drawn = is_image and (out is None or grid is not None)
    beside = told(model, batch, source.spec)
    seeds = range(seed, seed + (draws if drawn and random else 1))
    filled = [impute(model, x, gone, steps=steps, seed=number, **beside) for number in seeds]
    known = x.isfinite() & ~gone
    filled = [torch.where(known, x, rounded(found.cpu(), spec)) for found in filled]
    table = Path(data).expanduser()
    whole = not is_image and n is None and table.suffix in (".csv", ".tsv") and table.is_file()
    if whole and out is not None and out.suffix == ".csv":
        write_completed(table, filled[0], ~known, spec, out)
    elif out is not None:
        write_examples(filled[0], source, spec, out)
    if drawn:
        before = torch.where(gone, torch.full_like(x, 0.5), x)
        rows = torch.stack([before, *filled, x], 1)[: n or FEW].flatten(0, 1)
        write(rows, spec, None, grid or Path(run) / "inpainted.png", columns=len(filled) + 2)
    elif columns and out is None:
        print_columns(spec, x, filled[0], [names.index(name) for name in columns])
    elif not is_image and not columns:
        counts = x.isnan().sum(0).tolist()
        found = ", ".join(f"{count:,} of {name}" for name, count in zip(names, counts, strict=True) if count)
        print(f"filled in {sum(counts):,} missing values of {len(x):,} rows: {found}")


def hidden(columns: tuple[str, ...], names: tuple[str, ...]) -> "Tensor":
    """Which of a table's columns are hidden, True for each that is named.

    Raises:
        NacreError: There is no such column.
    """
    import torch

    if strange := [name for name in columns if name not in names]:
        raise NacreError(f"there is no column {strange[0]!r}; there are {', '.join(names)}.")
    return torch.tensor([name in columns for name in names])
