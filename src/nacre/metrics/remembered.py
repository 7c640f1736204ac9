"""Numbers that depend on the data alone, such as a baseline's accuracy, kept from one evaluation to the next."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from nacre.data.download import cache_folder
from nacre.engine.checkpoint import write_atomically
from nacre.errors import NacreError


def remembered(key: dict[str, Any], make: Callable[[], Any]) -> Any:
    """What `make` gave for this key before, from the cache, or what it gives now.

    Args:
        key: Plain values for JSON that decide the answer, with a `revision` to raise when its code changes.
        make: Gives plain values for JSON.
    """
    text = json.dumps(key, sort_keys=True)
    path = cache_folder() / "references" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):  # not there, damaged or another key's: it is made anew
        found = json.loads(path.read_text())
        if found["key"] == text:
            return found["value"]
    value = make()
    # A cache that cannot be written costs time, not the evaluation.
    with suppress(NacreError, OSError):
        write_atomically(path, json.dumps({"key": text, "value": value}).encode())
    return value
