"""`nacre transfer`."""

from __future__ import annotations

import json as encoding
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from nacre.errors import NacreError, at_least

if TYPE_CHECKING:
    from nacre.data.dataset import Data
    from nacre.engine.run import RunFolder
    from nacre.few_labels import FewLabels
    from nacre.model import Model


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    labels: tuple[int, ...] = (100,),
    draws: int = 10,
    data: str = "",
    layers: int = 0,
    frozen: float | None = None,
    hidden: tuple[int, ...] = (),
    drop: float | None = None,
    drop_input: float = 0.0,
    steps: int = 0,
    lr: float = 3e-3,
    encoder_lr: float = 0.0,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Reuse a run's encoder in a classifier trained on few labels, beside the same network from random weights.

    Every draw takes other labels. Results go into the run's transfer.json, in the place of those with the same options.

    Args:
        run: The run folder of a model with an encoder.
        labels: How many labels, or several such numbers; 0 takes all.
        draws: Draws of the labels.
        data: Labelled data: a name, a path or a Hugging Face id; the run's own by default.
        layers: How many of the encoder's layers to reuse, from the data on, for models that are stacks; 0 takes all.
        frozen: Share of the steps in which only the new layers learn, before the encoder is unfrozen, in [0, 1]; by
            default 0.3, or 0.05 with more than 20,000 labels.
        hidden: Units of new layers between the code and the classes.
        drop: Share of the code, and of what each layer of a stack says to the next, that is left out in every step of
            training (dropout), in [0, 1); by default 0.5, or 0.25 with more than 20,000 labels.
        drop_input: Share of the data's values that are left out likewise, in [0, 1); 0.3 suits images of 28 pixels.
        steps: Training steps of each classifier, on batches of 100; 0 takes 500 (labels / 100)^0.6, at least 500.
        lr: Learning rate of the new layers, and of all layers from random weights.
        encoder_lr: Learning rate of the reused layers; 0 takes a tenth of lr, or a third with more than 5,000 labels.
        seed: The seed of the first draw.
        json: Print JSON.
    """
    from nacre.engine.run import RunFolder
    from nacre.few_labels import usual, usual_shares

    if any(number < 0 for number in labels):
        raise NacreError(f"labels are {labels}; give numbers of examples, or 0 for all.")
    at_least(0, steps=steps, encoder_lr=encoder_lr)
    folder = RunFolder(run)
    folder.read("transfer.json")  # a damaged one is said before the work
    model, (source, test) = folder.load(), parts(folder, data)
    options: dict[str, Any] = {"draws": draws, "seed": seed, "layers": layers, "frozen": frozen, "hidden": hidden}
    options |= {"drop": drop, "drop_input": drop_input, "lr": lr}
    options |= {"steps": steps} if steps else {}
    options |= {"player_lr": {"trunk": encoder_lr}} if encoder_lr else {}
    results: list[FewLabels] = []
    try:
        for number in labels:
            results.append(measure(model, source, test, number, options))
            shares = dict(zip(("frozen", "drop"), usual_shares(results[-1].labels), strict=True))
            shares |= {name: options[name] for name in shares if options[name] is not None}
            resolved = {**usual(results[-1].labels, lr), **options, **shares}
            keep(folder, results[-1], {**resolved, "data": source.name, "test": test.fingerprint})
    finally:  # what was measured is shown even where it cannot be kept
        if results and json:
            print(encoding.dumps([result.to_dict() for result in results], indent=2))
        elif results:
            show(results)


def measure(model: Model, source: Data, test: Data, number: int, options: dict[str, Any]) -> FewLabels:
    """All draws of a number of labels, 0 for all, with a word on how far they are."""
    from rich.console import Console

    from nacre.few_labels import few_labels

    what = f"{number:,} labels" if number else "all labels"
    with Console(stderr=True).status(what) as status:
        return few_labels(
            model,
            source,
            test,
            labels=number or None,
            report=lambda draw: status.update(f"{what}, seed {draw.seed}: {draw.accuracy:.1%}"),
            **options,
        )


def parts(folder: RunFolder, data: str) -> tuple[Data, Data]:
    """The labelled data and the part of them that is judged on: the test split, or a fifth that is held back.

    Raises:
        NacreError: They are not known, or have no labels.
    """
    import torch

    from nacre.cli.input import own_data

    source = own_data(str(folder.path), data)
    if source.y is None:
        raise NacreError(f"{source.name} has no labels; name labelled data by --data.")
    test = source.sibling("test")
    if test is not None:
        return source, test
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))
    fifth = len(source) // 5
    return source.subset(order[fifth:]), source.subset(order[:fifth])


def keep(folder: RunFolder, found: FewLabels, options: dict[str, Any]) -> None:
    """Write a result into the run's transfer.json, in the place of an older one with the same options."""
    from nacre.engine.checkpoint import write_atomically

    entry = encoding.loads(encoding.dumps({"options": options, **found.to_dict()}))
    same = ("options", "labels")
    stored = folder.read("transfer.json")
    kept = stored.get("results", list(stored.values()))  # earlier files held one entry per number of labels
    others = [old for old in kept if any(old.get(name) != entry[name] for name in same)]
    content = encoding.dumps({"results": [*others, entry]}, indent=2)
    write_atomically(folder.path / "transfer.json", (content + "\n").encode())


def show(results: list[FewLabels]) -> None:
    """Print one line per number of labels."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "labels", "accuracy", "from random weights", "gain", "worst draw", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for found in results:
        table.add_row(
            f"{found.labels:,}",
            f"{found.mean:.2%}",
            f"{found.random:.2%}",
            f"{100 * (found.mean - found.random):+.1f} points",
            f"{found.worst.accuracy:.2%} (seed {found.worst.seed})",
        )
    console = Console()
    console.print(table)
    first = results[0]
    console.print(
        f"Mean of {len(first.draws)} draws of the labels, the same for both; {first.tested:,} held-out examples.",
        style="dim", highlight=False, soft_wrap=True,
    )  # fmt: skip
    if any(found.mean < found.random for found in results):
        console.print(
            "The encoder holds the classifier back: train it for longer, make its last layer wider, or lower --drop.",
            soft_wrap=True,
        )
