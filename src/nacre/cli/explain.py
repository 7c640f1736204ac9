"""`nacre explain`."""

import functools
import inspect
import json as encoding
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from nacre.errors import NacreError

OWN = {
    "out": "The picture, a PNG; by default explain-TOPIC.png.",
    "json": "Print JSON instead of tables.",
}


def command(args: Sequence[str]) -> Callable[[], Any]:
    """Read `TOPIC [flags]`, where the flags are the topic's own."""
    from nacre.cli.main import parse
    from nacre.explain import find

    if not args or args[0] in ("-h", "--help"):
        return functools.partial(print, usage())
    if args[0].startswith("-"):
        raise NacreError(f"the topic comes first, before {args[0]}: nacre explain TOPIC [flags].")
    return parse(runner(args[0], find(args[0])), args[1:], f"nacre explain {args[0]}")


def usage() -> str:
    """What there is to explain."""
    from nacre.explain import TOPICS

    width = max(map(len, TOPICS))
    topics = "\n".join(f"  {topic:<{width}}  {summary}" for topic, summary in TOPICS.items())
    return (
        f"usage: nacre explain TOPIC [flags]      (flags of a topic: nacre explain TOPIC --help)\n\n{topics}\n\n"
        "Each computes and draws what it explains, and prints the numbers. For example:\n\n"
        "  nacre explain saddle --lr 0.5 --out saddle.png"
    )


def runner(topic: str, module: ModuleType) -> Callable[..., None]:
    """A function whose flags are those of the topic's page, and where it goes."""

    def run(out: Path, json: bool, **flags: Any) -> None:
        page = module.page(**flags)
        page.save(out)
        print(encoding.dumps({"picture": str(out), **page.tables}, indent=2) if json else f"{page.text()}\n\n{out}")

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [
        inspect.Parameter("out", keyword, default=Path(f"explain-{topic}.png"), annotation=Path),
        inspect.Parameter("json", keyword, default=False, annotation=bool),
    ]
    flags = list(inspect.signature(module.page).parameters.values())
    run.__signature__ = inspect.Signature([*flags, *own])  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {p.name: p.annotation for p in [*flags, *own]}
    sentence, _, arguments = inspect.cleandoc(module.page.__doc__).partition("\n\nArgs:\n")
    lines = "\n".join(f"    {name}: {text}" for name, text in OWN.items())
    run.__doc__ = f"{sentence}\n\nArgs:\n{arguments.partition('Raises:')[0].rstrip()}\n{lines}"
    return run
