"""`nacre edit`."""

import json as encoding
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from nacre.errors import NacreError, at_least

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nacre.latent.directions import Direction
    from nacre.latent.effect import Effect

FOUND_ON, JUDGED_ON = 5_000, 1_000


def run(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = "",
    *,
    toward: str = "",
    from_: Annotated[str, tyro.conf.arg(name="from")] = "",
    keep: tuple[str, ...] = (),
    component: int | None = None,
    strength: float | None = None,
    steps: int = 7,
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 8,
    seed: int = 0,
    grid: Path | None = None,
    animation: Path | None = None,
    json: bool = False,
) -> None:
    """Move examples along a direction of latent space, toward an attribute, and measure what it does.

    Attributes are the classes of labelled data, and ink, slant and thickness of images. The direction is the normal
    of a linear boundary between codes with the attribute and codes without. Examples that have it are left out.

    Args:
        run: The run folder.
        data: Examples to edit, for a model with an encoder; by default the run's own, held out. Others edit draws.
        toward: The attribute that is to appear.
        from_: Edit only examples with this one, along the difference of the two attributes' mean codes.
        keep: Attributes that are to stay: the direction is made orthogonal to theirs.
        component: Follow this principal component of the codes instead, counted from 0; it needs no labels.
        strength: How far, in standard deviations of the codes, 3 by default; with --from in whole differences, 1.
        steps: Pictures per row, 2 or more.
        n: Rows: how many examples.
        seed: Chooses the examples and the draws.
        grid: Write a picture here; the default is edit.png in the run folder.
        animation: Write the rows as a moving picture instead: .gif, .apng or .png.
        json: Print the measurement as JSON and draw nothing.
    """
    import torch

    from nacre.api import load
    from nacre.cli.input import held_out
    from nacre.cli.latent import show, training
    from nacre.data.attributes import MEASURES
    from nacre.latent.attributes import attribute
    from nacre.latent.codes import Codes, codes_of
    from nacre.latent.directions import conditioned, edit, principal_directions
    from nacre.latent.effect import measure
    from nacre.latent.toward import direction_toward

    if bool(toward) == (component is not None):
        raise NacreError("say where to: either --toward ATTRIBUTE or --component NUMBER.")
    at_least(0, component=component or 0)
    if from_ and not toward:
        raise NacreError("--from needs --toward, the attribute to go to.")
    if n < 1 or steps < 2:
        raise NacreError("an edit needs at least one example and two steps.")
    model = load(run)
    encoded = model.can("encode")
    codes = codes_of(model, training(run, data) if encoded else None, n=FOUND_ON, seed=seed)
    others = codes_of(model, held_out(run, data) if encoded else None, n=max(n, JUDGED_ON), seed=seed + 1)
    if encoded and held_out(run, data).spec.classes != training(run, data).spec.classes:
        others = Codes(others.z)  # labels of other classes say nothing here
    asked = [name for name in (toward, from_, *keep) if name]
    beside = [name for name in MEASURES if toward and model.spec.kind == "image" and name not in asked]
    named = {name: attribute(name, training(run, data), model.decode(codes.z)) for name in asked + beside}
    kept = [named[name] for name in keep]
    far = strength if strength is not None else 1.0 if from_ else 3.0
    strengths = torch.linspace(0.0 if toward else -far, far, steps).tolist()
    effects: list[Effect] = []
    if component is None:
        direction = direction_toward(model, codes, named[toward], start=named.get(from_), keep=kept)
        pick = named[from_].of_codes(model, others) if from_ else ~named[toward].of_codes(model, others)
        others = others.take(pick)
        judged = [named[name] for name in (*keep, *beside)]
        effects = measure(model, others.z, direction, named[toward], judged, strengths[1:])
    else:
        direction = principal_directions(codes.z, component + 1)[component]
        direction = conditioned(direction, [direction_toward(model, codes, other) for other in kept])
    if json:
        print(as_json(direction, effects))
        return
    show(edit(model, others.z[:n], direction, strengths), model, Path(run) / "edit.png", grid, animation)
    print(as_text(direction, effects))


def as_json(direction: "Direction", effects: "Sequence[Effect]") -> str:
    """The direction and what it does as JSON."""
    from dataclasses import asdict

    facts = {"name": direction.name, "accuracy": direction.accuracy, "variance": direction.variance}
    return encoding.dumps({**facts, "effects": [asdict(effect) for effect in effects]}, indent=2)


def as_text(direction: "Direction", effects: "Sequence[Effect]") -> str:
    """The direction and what it does as lines: shares of the examples, by strength."""
    lines = []
    if direction.accuracy is not None:
        lines.append(
            f"a linear boundary tells {direction.name} from the others for {direction.accuracy:.1%} of held-out codes, "
            f"both counted as if they were equally many"
        )
    if direction.variance is not None:
        lines.append(f"{direction.name} holds {direction.variance:.1%} of the codes' variance")
    if effects:
        lines.append(
            f"of {effects[0].n} examples that had no {direction.name}: the share that has it after the edit, and the "
            f"shares whose other attributes changed"
        )
        columns = ["strength", direction.name, *effects[0].changed]
        rows = [[f"{e.strength:g}", *(f"{share:.2f}" for share in (e.flipped, *e.changed.values()))] for e in effects]
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        lines += ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in [columns, *rows]]
        if max(effect.flipped for effect in effects) < 0.05:
            lines.append("hardly any has it: try a larger --strength, or a model whose codes tell it better")
    return "\n".join(lines)
