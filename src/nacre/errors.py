"""Errors that a user can mend: one clear sentence each, without a traceback on the command line."""

from difflib import get_close_matches


class NacreError(Exception):
    """A mistake in what was asked for; the message is one sentence that names the fix.

    The command line prints it and exits with code 2.
    """


def at_least(least: float, **values: float | tuple[float, ...]) -> None:
    """Refuse values below `least`, NaN, and what is no number: `at_least(1, latent=latent)`.

    Raises:
        NacreError: The first value that is too small or none, by name.
    """
    for name, value in values.items():
        if isinstance(value, str):
            raise NacreError(f"{name} is {value!r}; give a number.")
        if not all(part >= least for part in (value if isinstance(value, tuple) else (value,))):  # NaN is not
            raise NacreError(f"{name} is {value}; it must be at least {least}.")


def share(**values: float) -> None:
    """Refuse values outside [0, 1): `share(corruption=corruption)`.

    Raises:
        NacreError: The first value outside, by name.
    """
    for name, value in values.items():
        if not 0 <= value < 1:
            raise NacreError(f"{name} is {value}; it must lie in [0, 1).")


def unknown(kind: str, name: str, known: list[str], hint: str = "") -> NacreError:
    """An error for a name that does not exist, with the nearest names that do."""
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    suggestion = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}."
    return NacreError(f"there is no {kind} {name!r}; {suggestion}{' ' + hint if hint else ''}")
