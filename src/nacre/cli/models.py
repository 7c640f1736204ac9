"""`nacre models`."""

from json import dumps

VERBS = ("sample", "encode", "decode", "score")


def run(*, markdown: bool = False, json: bool = False) -> None:
    """List the models: family, kind of density, what each can do, its paper.

    Args:
        markdown: Print a Markdown table, as the README has it.
        json: Print JSON.
    """
    from nacre.registry import names

    rows = [describe(name) for name in names()]
    if json:
        print(dumps(rows, indent=2))
        return
    columns = ["model", "family", "density", "can", "paper"]
    if markdown:
        print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
        for row in rows:
            cells = [f"`{row['model']}`", *(row[column] for column in columns[1:])]
            print(f"| {' | '.join(cells)} |")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(row[column] for column in columns))
    Console().print(table)


def describe(name: str) -> dict[str, str]:
    """A model's row."""
    from nacre.registry import family, find

    model = find(name)
    can = [verb for verb in VERBS if model.can(verb)]
    return {
        "model": name,
        "title": model.title,
        "family": family(name),
        "density": model.density,
        "can": " · ".join(can),
        "paper": model.paper,
    }
