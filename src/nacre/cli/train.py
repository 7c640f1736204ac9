"""`nacre train`."""

import functools
import inspect
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from nacre.engine.training import Training
from nacre.errors import NacreError

if TYPE_CHECKING:
    from nacre.data.dataset import Data
    from nacre.model import Model

USAGE = """usage: nacre train MODEL DATA [flags]      (flags of a model: nacre train MODEL --help)
       nacre train --resume RUN

For example: nacre train vae digits --latent 16 --steps 5000 --out runs/vae"""


def command(args: Sequence[str]) -> Callable[[], Any]:
    """Read `MODEL DATA [flags]`, where the flags are the model's hyper-parameters and the training options."""
    from nacre.cli.main import parse

    rest = list(args)
    if not rest:
        raise NacreError("say which model and which data: nacre train vae digits; `nacre models` lists the models.")
    if rest[0] in ("-h", "--help"):
        texts = arguments_of(Training.__doc__)
        flags = (f"  --{name.replace('_', '-'):<18} {text}" for name, text in texts.items())
        return functools.partial(print, f"{USAGE}\n\nFlags of every model:\n{chr(10).join(flags)}")
    if rest[0] == "--resume" and len(rest) > 1:
        rest = [*repeat(rest[1]), *rest[2:]]
    if rest[0] == "--resume":
        raise NacreError("say which run goes on: nacre train --resume RUN.")
    if rest[0].startswith("-"):
        raise NacreError(f"the model's name comes first, before {rest[0]}: nacre train MODEL DATA [flags].")
    from nacre.registry import find

    model = find(rest[0])
    return parse(runner(model), rest[1:], f"nacre train {rest[0]}")


def repeat(run: str) -> list[str]:
    """The arguments that go on with a run: those that began it."""
    import shlex

    from nacre.engine.run import RunFolder

    folder = RunFolder(run)
    return [*shlex.split(folder.command())[2:], "--out", run, "--resume"]


def runner(model: "type[Model]") -> Callable[..., None]:
    """A function whose signature and docstring hold a model's hyper-parameters and the training options."""
    import tyro

    from nacre.registry import hyperparameters

    defaults = Training.resolve(model.defaults, {})
    hints = get_type_hints(model.__init__)
    keyword = inspect.Parameter.KEYWORD_ONLY
    hparams = [p.replace(kind=keyword, annotation=hints[name]) for name, p in hyperparameters(model).items()]
    options = [
        inspect.Parameter(field.name, keyword, default=getattr(defaults, field.name), annotation=hint)
        for field, hint in zip(fields(Training), get_type_hints(Training).values(), strict=True)
    ]
    data = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    own = [
        inspect.Parameter("data", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=data),
        inspect.Parameter("out", keyword, default=None, annotation=Path | None),
        inspect.Parameter("resume", keyword, default=False, annotation=bool),
        inspect.Parameter("dry_run", keyword, default=False, annotation=bool),
        inspect.Parameter("size", keyword, default=None, annotation=int | None),
        inspect.Parameter("attributes", keyword, default=(), annotation=tuple[str, ...]),
        inspect.Parameter("label", keyword, default="", annotation=str),
        inspect.Parameter("columns", keyword, default=(), annotation=tuple[str, ...]),
        inspect.Parameter("drop", keyword, default=(), annotation=tuple[str, ...]),
        inspect.Parameter("color", keyword, default="", annotation=str),
        inspect.Parameter("limit", keyword, default=0, annotation=int),
        inspect.Parameter("soften", keyword, default=0.0, annotation=float),
    ]

    from nacre.data.sources import load_data

    def run(
        data: str,
        out: Path | None,
        resume: bool,
        dry_run: bool,
        size: int | None,
        attributes: tuple[str, ...],
        label: str,
        columns: tuple[str, ...],
        drop: tuple[str, ...],
        color: str,
        limit: int,
        soften: float,
        **flags: Any,
    ) -> None:
        names = {parameter.name for parameter in hparams}
        chosen = {name: value for name, value in flags.items() if name in names}
        training = Training(**{name: value for name, value in flags.items() if name not in names})
        source = functools.partial(
            load_data, data,
            size=size, attributes=attributes, label=label, limit=limit, columns=columns, drop=drop, color=color,
            soften=soften,
        )  # fmt: skip
        train(model, source, chosen, training, out, resume, dry_run)

    run.__signature__ = inspect.Signature([own[0], *hparams, *options, *own[1:]])  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {p.name: p.annotation for p in [*own, *hparams, *options]}
    run.__doc__ = docstring(model)
    return run


def docstring(model: "type[Model]") -> str:
    """The help text: the model's first sentence, and every argument's own explanation."""
    from nacre.model import Model

    texts = arguments_of(Training.__doc__)
    for base in reversed(model.__mro__):  # a preset explains only the keywords that are its own
        texts |= arguments_of(base.__doc__) if issubclass(base, Model) else {}
    texts |= {
        "data": "A name, a path, or hf:owner/name; with :train, :test ... for a split.",
        "out": "The run folder; by default the next number in runs/.",
        "resume": "Go on with the run in --out.",
        "dry_run": "Print the resolved run and stop.",
        "size": "Resize images to this many pixels.",
        "columns": "Keep only these columns of a table; `categories` keeps all columns of categories.",
        "drop": "Leave these columns of a table out.",
        "color": "Make images grey, rgb or rgba.",
        "label": "The column of a table that holds the labels, where it has no telling name.",
        "limit": "Keep only so many training examples, drawn by seed 0.",
        "soften": "How far batches of binary images are drawn anew, given each pixel's neighbours, in [0, 1].",
        "attributes": "Measure these of every image, as conditions for a conditional model: ink slant thickness.",
    }
    lines = "\n".join(f"    {name}: {text}" for name, text in texts.items() if name != "spec")
    return f"{inspect.cleandoc(model.__doc__ or '').splitlines()[0]}\n\nArgs:\n{lines}"


def arguments_of(docstring: str | None) -> dict[str, str]:
    """The texts of a docstring's Args section."""
    from docstring_parser import parse

    return {p.arg_name: " ".join((p.description or "").split()) for p in parse(docstring or "").params}


def train(
    model: "type[Model]",
    source: "Callable[[], Data]",
    hparams: dict[str, Any],
    training: Training,
    out: Path | None,
    resume: bool,
    dry_run: bool,
) -> None:
    """Train as asked, in one process or in each that `torchrun` started."""
    import torch

    from nacre.api import refuse_useless
    from nacre.engine import distributed
    from nacre.engine.loop import Trainer

    name = model.registered_name()
    distributed.start()
    try:
        if resume and out is None:
            raise NacreError("--resume needs the run folder: --out RUN.")
        data = source()
        if not resume:
            refuse_useless(model, data, hparams)
        if distributed.rank() == 0:
            print(*(f"note: {note}" for note in data.notes), sep="\n", end="\n" * bool(data.notes), file=sys.stderr)
        torch.manual_seed(training.seed)
        game = model(data.spec, **hparams)
        folder = out or Path(distributed.share(str(next_folder(f"{name}-{data.name or 'data'}"))))
        if dry_run:
            training = training.for_data(model.defaults, len(data))
            resolved = {"model": name, "data": f"{data.name} ({len(data)} examples of {data.spec.shape})"}
            print(json.dumps({**resolved, **game.hparams, **training.to_dict(), "out": str(folder)}, indent=2))
            return
        trainer = Trainer(game, {"data": data}, training, folder)
        trainer.run(resume)
        if distributed.rank() == 0:
            done = f"{trainer.step} steps in {trainer.seconds:.0f} s"
            verb = "sample" if model.can("sample") else "reconstruct"
            print(f"{folder}: {done}; see it with: nacre {verb} {folder}", file=sys.stderr)
    finally:
        distributed.stop()


def next_folder(title: str, parent: Path = Path("runs")) -> Path:
    """The next free run folder: runs/00000-vae-digits, runs/00001-..."""
    taken = [int(p.name[:5]) for p in parent.glob("[0-9][0-9][0-9][0-9][0-9]-*")]
    return parent / f"{max(taken, default=-1) + 1:05d}-{Path(title).name}"
