"""The comparison of runs as one HTML page that needs nothing else: samples, one yardstick, curves, commands."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from nacre.cli.input import held_out
from nacre.engine.checkpoint import write_atomically
from nacre.engine.run import RunFolder
from nacre.errors import NacreError
from nacre.report.entry import entries
from nacre.report.numbers import numbers
from nacre.report.samples import samples
from nacre.report.strips import copies, walks
from nacre.report.tables import cards, training

__all__ = ["write_report"]

STYLE = Path(__file__).with_name("style.css")


def write_report(runs: Sequence[RunFolder], path: str | Path) -> None:
    """Write a page that compares runs on the same data.

    Args:
        runs: Run folders; those without a `report.json` have no numbers.
        path: The HTML file.

    Raises:
        NacreError: The runs saw different data, hold no model, or the page cannot be written.
    """
    every = entries(runs)
    recorded = runs[0].config["data"]["data"]
    try:
        held = held_out(str(runs[0].path))
    except NacreError:  # an array, which only its owner has, or data that have changed
        held = None
    name = recorded["name"] or "your data"
    about = [f"{recorded['n']:,} training examples"]
    about += [f"{len(held):,} held out"] if held is not None and held.split == "test" else []
    about += ["these are not at hand"] if held is None else []
    about.append(" x ".join(str(side) for side in runs[0].config["spec"]["shape"]))
    versions = runs[0].config["versions"]
    title = f"{' · '.join(entry.label for entry in every)} on {name}"
    body = [
        f"<header><p>nacre compare</p><h1>{escape(title)}</h1><p>{escape(' · '.join(about))}</p></header>",
        section(
            "Samples", samples(every, held), "First what is real, then draws that were not picked, all alike in scale."
        ),
        section("Between examples", walks(every, held), "Each row walks through the latent space from one to another."),
        section(
            "One yardstick",
            numbers(every),
            "Numbers compare where they were measured in the same way. The best is bold if its 95 % interval overlaps "
            "no other; else there is no significant difference. Dashed lines: values to hold them against.",
        ),
        section(
            "Copies?",
            copies(every),
            "Above the samples that lie nearest to a training example, below those training examples.",
        ),
        section(
            "Training",
            training(every),
            "Over the steps. Losses of different games have different meanings: compare their shapes.",
        ),
        section("The runs", cards(every)),
        f"<footer>nacre {escape(versions['nacre'])} · torch {escape(versions['torch'])}</footer>",
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE.read_text()}</style></head><body><main>{''.join(body)}</main>"
        "</body></html>\n"
    )
    write_atomically(Path(path), page.encode())


def section(title: str, content: str, note: str = "") -> str:
    """A part of the page; nothing without content."""
    lead = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{lead}{content}</section>" if content else ""
