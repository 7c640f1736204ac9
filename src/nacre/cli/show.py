"""`nacre show`: a model as the algorithm box of its paper, from its own turns."""

import inspect
import re
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from nacre.engine.training import Training
    from nacre.game import Phase, Turn
    from nacre.model import Model

Shapes = dict[str, tuple[str, str]]
VERBS = ("sample", "encode", "decode", "reconstruct", "score", "interpolate", "edit", "traverse", "project")


def run(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")],
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = "",
) -> None:
    """Show a model as its paper's algorithm box.

    Args:
        model: The model's name.
        data: Build it for this data set; by default for 28 x 28 grey images, or for strings where it writes these.
    """
    print(box(model, data))


def box(name: str, data: str = "") -> str:
    """The text of `nacre show NAME`."""
    from nacre.data.sources import load_data
    from nacre.data.spec import Spec
    from nacre.engine.training import Training
    from nacre.registry import create, find

    cls = find(name)
    data = data or cls.shown_for
    spec = load_data(data).spec if data else Spec.image(1, 28, 28, classes=tuple("0123456789"))
    model, training = create(name, spec), Training.resolve(cls.defaults, {})
    kind = {"implicit": "implicit density", "none": "no density"}.get(cls.density, f"{cls.density} density")
    margin = " " * 10
    lines = [f"{name:<9} {cls.title} · {cls.paper}", margin + kind, ""]
    phases = model.phases()
    terms, shapes = trace(model, phases)
    lines += rows("players", player_lines(model, phases, shapes))
    if model.layers():
        lines += ["", *rows("layers", model.layers())]
    for i, phase in enumerate(phases):
        if len(phases) > 1:
            share = phase.share / sum(p.share for p in phases)
            lines += ["", f"phase {i + 1}   {phase.name}, {share:.0%} of the steps"]
        lines += rows("repeat", turn_lines(model, phase, training, terms))
    verbs = [verb for verb in VERBS if model.can(verb)]
    lines += ["", *rows("can", [" · ".join(verbs)])]
    off = [name for name, value in model.hparams.items() if not value or value == "none"]
    defaults = [f"{name} {plain(value)}" for name, value in model.hparams.items() if name not in off]
    options = ["batch_size", "schedule", "ema"]
    lines += rows("defaults", [" · ".join(defaults), " · ".join(f"{o} {getattr(training, o)}" for o in options)])
    lines += rows("off", [" · ".join(off)]) if off else []
    departures = section(cls.__doc__ or "", "Departures")
    return "\n".join([*lines, *(["", *rows("departs", departures)] if departures else [])])


def rows(title: str, texts: list[str]) -> list[str]:
    """Lines with a title in the margin of the first."""
    return [f"{title if not i else '':<9} {text}" for i, text in enumerate(texts)]


def trace(model: "Model", phases: "list[Phase]") -> tuple[dict[tuple[str, str], list[str]], Shapes]:
    """The terms of every turn's loss and the shapes each player maps, from one run on tensors without values."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    from nacre.engine.optim import player_names
    from nacre.engine.play import named
    from nacre.game import Batch

    terms: dict[tuple[str, str], list[str]] = {}
    shapes: Shapes = {}

    def remember(name: str) -> Any:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            if name not in shapes and inputs and hasattr(output, "shape"):
                shapes[name] = (side(inputs[0].shape[1:]), side(output.shape[1:]))

        return hook

    for phase in phases:
        if phase.enter is not None:
            phase.enter()
        for turn in phase.turns():
            players = zip(player_names(model, turn), turn.modules, strict=True)
            handles = [module.register_forward_hook(remember(name)) for name, module in players]
            with FakeTensorMode(allow_non_fake_inputs=True):
                batch = Batch(x=torch.zeros(4, *model.spec.shape), y=torch.zeros(4, dtype=torch.int64))
                batch = phase.prepare(batch) if phase.prepare else batch
                terms[phase.name, turn.name] = [name for name, _ in named(turn.loss(batch), turn.name)]
            for handle in handles:
                handle.remove()
    return terms, shapes


def side(shape: Any) -> str:
    """A shape as (1, 28, 28)."""
    return f"({', '.join(map(str, shape))})"


def player_lines(model: "Model", phases: "list[Phase]", shapes: Shapes) -> list[str]:
    """One line per player: what it maps to what, and its size."""
    from nacre.engine.optim import player_names

    players = {
        name: module
        for phase in phases
        for turn in phase.turns()
        for name, module in zip(player_names(model, turn), turn.modules, strict=True)
    }
    players = {name: module for name, module in players.items() if any(True for _ in module.parameters())}
    width = max(map(len, players))
    lines = []
    for name, module in players.items():
        count = sum(p.numel() for p in module.parameters())
        arrow = " -> ".join(shapes[name]) if name in shapes else ""
        lines.append(f"{name:<{width}}  {arrow:<28} {quantity(count)} parameters")
    return lines


def turn_lines(model: "Model", phase: "Phase", training: "Training", terms: Any) -> list[str]:
    """One line per turn: how often, who moves, what is minimised, by which rule."""
    from nacre.engine.optim import player_names

    lines = []
    for turn in phase.turns():
        who = ", ".join(n for n, m in zip(player_names(model, turn), turn.modules, strict=True) if list(m.parameters()))
        often = f"{turn.repeat} x" if turn.every == 1 else f"every {turn.every} steps"
        what = " + ".join(terms[phase.name, turn.name])
        lines.append(f"{often}  {who:<20} minimise {what}{after(turn)}    {rule(training)}")
    return lines


def after(turn: "Turn") -> str:
    """What follows a turn."""
    return f", then {turn.after.__name__}" if turn.after is not None else ""


def rule(training: "Training") -> str:
    """The optimizer with its settings."""
    extra = f", beta {training.betas[0]:g}, {training.betas[1]:g}" if training.optimizer.startswith("adam") else ""
    return f"{training.optimizer.capitalize()} {training.lr:g}{extra}"


def quantity(n: int) -> str:
    """1.1 M, 330 k, 12."""
    return f"{n / 1e6:.1f} M" if n >= 1e6 else f"{n / 1e3:.0f} k" if n >= 1e4 else str(n)


def plain(value: Any) -> str:
    """A hyper-parameter as text."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def section(docstring: str, title: str) -> list[str]:
    """The sentences of one section of a docstring, one per line."""
    found = re.search(rf"^{title}:\n((?:    .*\n|\n)+)", inspect.cleandoc(docstring) + "\n", re.MULTILINE)
    text = " ".join(found.group(1).split()) if found else ""
    return re.split(r"(?<=[.;]) (?=[A-Z])", text) if text else []
