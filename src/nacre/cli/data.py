"""`nacre data`."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import tyro

MOST_COLUMNS, MOST_CLASSES = 40, 20


def run(
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")],
    *,
    size: int | None = None,
    label: str = "",
    columns: tuple[str, ...] = (),
    drop: tuple[str, ...] = (),
    color: str = "",
    attributes: tuple[str, ...] = (),
    sheet: Path | None = None,
    json: bool = False,
) -> None:
    """Inspect a data set: what it holds, what is odd about it, and a model to start with.

    Args:
        data: A name, a path, or hf:owner/name; with :train, :test ... for a split.
        size: Resize images to this many pixels.
        label: The column of a table that holds the labels, where it has no telling name.
        columns: Keep only these columns of a table; `categories` keeps all columns of categories.
        drop: Leave these columns of a table out.
        color: Make images grey, rgb or rgba.
        attributes: Measure these of every image: ink slant thickness.
        sheet: Write a contact sheet here, a PNG: images, or histograms of up to 36 columns.
        json: Print JSON.
    """
    from json import dumps

    from nacre.cli.output import writable_picture
    from nacre.data.inspect import contact_sheet, inspect
    from nacre.data.sources import load_data

    source = load_data(data, size=size, label=label, columns=columns, drop=drop, color=color, attributes=attributes)
    found = inspect(source)
    start = found["suggestion"]
    sized = () if size is None or "--size" in start["flags"] else (str(size),)
    given = flags(size=sized, label=(label,), columns=columns, drop=drop, color=(color,), attributes=attributes)
    start |= {"flags": (start["flags"] + given).strip(), "command": start["command"] + given}
    if sheet is not None:
        contact_sheet(source, writable_picture(sheet))
    print(dumps(found, indent=2) if json else text(found))
    if sheet is not None and not json:
        print(f"\ncontact sheet  {sheet}")


def flags(**given: tuple[str, ...]) -> str:
    """What was given of a data set, as the flags of the command that trains on it."""
    said = {name: [shlex.quote(value) for value in values if value] for name, values in given.items()}
    return "".join(f" --{name} {' '.join(values)}" for name, values in said.items() if values)


def text(found: dict[str, Any]) -> str:
    """The findings as aligned lines."""
    counts = ", ".join(f"{name} {count}" for name, count in list(found["classes"].items())[:MOST_CLASSES])
    counts += f", and {len(found['classes']) - MOST_CLASSES:,} more" if len(found["classes"]) > MOST_CLASSES else ""
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
    if "columns" in found:
        del rows["values"]
    lines = [f"{name:<14} {value}" for name, value in rows.items()]
    lines += columns_text(found.get("columns", []))
    for name, (low, mean, high) in found.get("attributes", {}).items():
        lines.append(f"{name:<14} {low:.4g} to {high:.4g}, mean {mean:.4g}")
    lines += [f"{'note':<14} {note}" for note in found["notes"]]
    lines += [f"{'watch':<14} {warning}" for warning in found["warnings"]]
    lines += [f"{'start with':<14} {found['suggestion']['command']}", f"{'':<14} {found['suggestion']['why']}"]
    return "\n".join(lines)


def columns_text(columns: list[dict[str, Any]]) -> list[str]:
    """A line for each of the first columns of a table: numbers by their range, categories by the most frequent."""
    width = min(40, max((len(column["name"]) for column in columns[:MOST_COLUMNS]), default=0))
    lines = []
    for column in columns[:MOST_COLUMNS]:
        if "categories" in column:
            counts = column["categories"]
            known = max(1, sum(counts.values()))
            most = ", ".join(f"{name} {count / known:.0%}" for name, count in list(counts.items())[:3])
            about = f"{len(counts)} categories: {most}{', ...' if len(counts) > 3 else ''}"
        elif "minimum" in column:
            kind = "whole numbers" if column["whole"] else "numbers"
            about = f"{kind}, {column['minimum']:.4g} to {column['maximum']:.4g}, mean {column['mean']:.4g}"
        else:
            about = "no known value"
        missing = f"; {column['missing']:,} missing" if column["missing"] else ""
        lines.append(f"{'column':<14} {column['name']:<{width}}  {about}{missing}")
    if len(columns) > MOST_COLUMNS:
        lines.append(f"{'':<14} and {len(columns) - MOST_COLUMNS:,} more columns; --json tells of all")
    return lines
