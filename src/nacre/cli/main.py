"""The `nacre` command: finds the verb, reads its flags, and turns errors into one sentence."""

import contextlib
import functools
import importlib
import io
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from nacre.errors import NacreError, unknown

VERBS = {
    "models": "what there is: family, density, what each model can do, its paper",
    "show": "a model as the algorithm box of its paper: players, turns, losses, defaults",
    "data": "inspect a data set: kind, shape, range, duplicates, balance; suggests a preset",
    "train": "train a model on data, or go on with a run",
    "sample": "new examples from a run: a picture, an array, a table",
    "reconstruct": "examples through a model and back, beside the originals",
    "inpaint": "hide a part of examples and fill it in",
    "score": "the examples that the model finds least likely: anomalies",
    "encode": "the latent codes of examples, as an array",
    "interpolate": "from one example to another through latent space",
    "edit": "move examples toward an attribute, and measure what that changes",
    "traverse": "what each dimension of the latent does; the whole grid of two",
    "project": "the latent codes of given examples, found by optimisation",
    "transfer": "reuse a run's encoder in a classifier trained on few labels",
    "evaluate": "judge a run on held-out data",
    "compare": "judge runs side by side: a table and a page",
    "reproduce": "train a paper's setting and print its numbers beside ours",
    "explain": "a topic as a page that computes and draws it: saddle, saturation, mode collapse ...",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0; 1 where `nacre reproduce` misses its range; 2 for a mistake in what was asked; 130 after Ctrl-C.
    """
    args = list(sys.argv[1:] if arguments is None else arguments)
    if not args or args[0] in ("-h", "--help"):
        print(overview())
        return 0
    if args[0] == "--version":
        from nacre import __version__

        print(f"nacre {__version__}")
        return 0
    verb, rest = args[0], args[1:]
    try:
        if verb not in VERBS:
            raise unknown("command", verb, list(VERBS), "`nacre --help` explains them.")
        module = importlib.import_module(f"nacre.cli.{verb}")
        command = module.command(rest) if hasattr(module, "command") else parse(module.run, rest, f"nacre {verb}")
        code = command()
    except NacreError as error:
        if os.environ.get("RANK", "0") == "0":  # under torchrun every process finds the same mistake
            print(f"nacre: {error}", file=sys.stderr)
        else:
            time.sleep(3)  # torchrun ends all when one fails: the one that speaks goes first
        return 2
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        print(
            f"nacre: {error.filename}: {error.strerror}; check the path, its permissions and the disk.", file=sys.stderr
        )
        return 2
    except KeyboardInterrupt as stopped:
        print(f"nacre: {str(stopped) or 'stopped.'}", file=sys.stderr)
        return 130
    return code or 0


def overview() -> str:
    """What `nacre --help` prints."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {summary}" for verb, summary in VERBS.items())
    return (
        "usage: nacre COMMAND ...\n\nDeep generative models, trained by one engine, on your own data, judged by one "
        f"yardstick.\n\n{verbs}\n\n`nacre COMMAND --help` lists a command's flags. For example:\n\n"
        "  nacre train vae digits --out runs/vae\n  nacre sample runs/vae -n 64 --grid digits.png"
    )


def parse(function: Callable[..., Any], args: Sequence[str], prog: str) -> Callable[[], Any]:
    """Read a function's flags from its signature and docstring; returns the call, not yet made.

    Raises:
        NacreError: The flags do not fit, in one sentence.
    """
    import tyro

    @functools.wraps(function)
    def deferred(*positional: Any, **options: Any) -> Callable[[], Any]:
        return functools.partial(function, *positional, **options)

    if not {"-h", "--help"}.isdisjoint(args):
        return tyro.cli(deferred, args=args, prog=prog)
    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box), contextlib.redirect_stdout(box):
            return tyro.cli(deferred, args=args, prog=prog)
    except SystemExit:
        raise NacreError(sentence(box.getvalue(), prog)) from None


def sentence(box: str, prog: str) -> str:
    """The message in a parser's box as one sentence: what is wrong, and the nearest flag that exists."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    lines = [
        line.strip(" │|╭╮╰╯─-") if re.fullmatch(r"[\s│|╭╮╰╯─-]*", line) else line.strip(" │|")
        for line in plain.splitlines()
    ]
    parts = [part.split("\n") for part in "\n".join(lines).strip("\n").split("\n\n")]
    title, message, *rest = [[line for line in part if line] for part in parts if any(part)] + [[], []]
    words = " ".join(message or title)
    if missing := re.match(r"Missing from .*?: ([A-Z]+)\b", words):
        return f"{missing[1]} is missing: {prog} {missing[1]}; see {prog} --help."
    near = next((part[1] for part in rest if part and part[0] == "Perhaps you meant:"), "")
    return f"{words.rstrip('.')}{f'; perhaps you meant {near}' if near else ''}; see {prog} --help."
