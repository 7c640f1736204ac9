"""Errors that a user can mend: one clear sentence each, without a traceback on the command line."""

from difflib import get_close_matches


class NacreError(Exception):
    """A mistake in what was asked for; the message is one sentence that names the fix.

    The command line prints it and exits with code 2.
    """


def unknown(kind: str, name: str, known: list[str], hint: str = "") -> NacreError:
    """An error for a name that does not exist, with the nearest names that do."""
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    suggestion = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}."
    return NacreError(f"there is no {kind} {name!r}; {suggestion}{' ' + hint if hint else ''}")
