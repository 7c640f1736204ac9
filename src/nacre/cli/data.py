"""`nacre data`."""

from pathlib import Path
from typing import Annotated, Any

import tyro


def run(
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")],
    *,
    size: int | None = None,
    sheet: Path | None = None,
    json: bool = False,
) -> None:
    """Inspect a data set: what it holds, what is odd about it, and a model to start with.

    Args:
        data: A name, a path, or hf:owner/name; with :train, :test ... for a split.
        size: Resize images to this many pixels.
        sheet: Write a contact sheet here, a PNG.
        json: Print JSON.
    """
    from json import dumps

    from nacre.cli.output import writable_picture
    from nacre.data.inspect import contact_sheet, inspect
    from nacre.data.sources import load_data

    source = load_data(data, size=size)
    found = inspect(source)
    if sheet is not None:
        contact_sheet(source, writable_picture(sheet))
    print(dumps(found, indent=2) if json else text(found))
    if sheet is not None and not json:
        print(f"\ncontact sheet  {sheet}")


def text(found: dict[str, Any]) -> str:
    """The findings as aligned lines."""
    counts = ", ".join(f"{name} {count}" for name, count in found["classes"].items())
    constant = found["constant"]
    constant = f"{constant} pixels" if isinstance(constant, int) else ", ".join(constant)
    rows = {
        "data": f"{found['name'] or 'array'}:{found['split']}"
        + (f"  (of {', '.join(found['splits'])})" if found["splits"] else ""),
        "kind": f"{found['kind']} {tuple(found['shape'])}, stored as {found['storage']}, {found['bytes'] / 1e6:.1f} MB",
        "examples": f"{found['n']:,}",
        "classes": counts or "no labels",
        "values": f"{found['minimum']:.4g} to {found['maximum']:.4g}, mean {found['mean']:.4g}, {found['nan']} NaN",
        "constant": constant or "none",
        "duplicates": f"{found['duplicates']:,} of {found['examined']:,}",
    }
    lines = [f"{name:<14} {value}" for name, value in rows.items()]
    lines += [f"{'note':<14} {note}" for note in found["notes"]]
    lines += [f"{'watch':<14} {warning}" for warning in found["warnings"]]
    lines += [f"{'start with':<14} {found['suggestion']['command']}", f"{'':<14} {found['suggestion']['why']}"]
    return "\n".join(lines)
