"""Strings as rows of symbol numbers: every place holds one character of the alphabet, and blanks fill the end."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from nacre.data.parts import Part
from nacre.data.spec import Spec
from nacre.errors import NacreError

BLANK = " "
MOST_SYMBOLS, LONGEST = 1_000, 1_000


def string_part(lines: Sequence[str], where: str = "the strings", alphabet: str = "", length: int = 0) -> Part:
    """The part of strings, padded with blanks to one length.

    Args:
        lines: The strings; blanks at their ends do not count.
        where: Names the source in messages.
        alphabet: The symbols 0, 1, ..., the blank first; by default the characters that occur.
        length: The number of places; by default that of the longest string.

    Raises:
        NacreError: There are no strings, or they are too long or of too many characters.
    """
    lines = [line.rstrip() for line in lines]
    if not any(lines):
        raise NacreError(f"{where} holds no strings; give one on every line.")
    length = length or max(map(len, lines))
    alphabet = alphabet or BLANK + "".join(sorted(set("".join(lines)) - {BLANK}))
    if length > LONGEST or len(alphabet) > MOST_SYMBOLS:
        raise NacreError(
            f"{where} has strings of up to {length:,} places and {len(alphabet):,} different characters; at most "
            f"{LONGEST:,} and {MOST_SYMBOLS:,} are modelled: cut the strings."
        )
    number = {symbol: i for i, symbol in enumerate(alphabet)}
    x = np.array([[number[symbol] for symbol in line.ljust(length)] for line in lines], np.float32)
    return Part(x, categories=(tuple(alphabet),) * length, sequence=True)


def text_file(path: Path) -> Part:
    """A text file with one string on every line; empty lines do not count."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise NacreError(f"{path} is no text in UTF-8; save it again so encoded.") from error
    return string_part([line for line in lines if line.strip()], str(path))


def strings(x: Tensor, spec: Spec) -> list[str]:
    """The strings of examples (n, length), without the blanks at their ends."""
    alphabet = spec.categories[0]
    return ["".join(alphabet[int(i)] for i in row).rstrip(BLANK) for row in x.cpu().tolist()]
