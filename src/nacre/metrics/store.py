"""Files of the features cache: written whole, and read only if they are what was written."""

import hashlib
from contextlib import suppress
from pathlib import Path

from nacre.data.download import cache_folder
from nacre.engine.checkpoint import write_atomically
from nacre.errors import NacreError


def place(name: str) -> Path:
    """Where a file of the cache lies."""
    return cache_folder() / "features" / f"{name}.safetensors"


def read(name: str) -> bytes | None:
    """The content that was kept under a name; None if there is none or it is damaged."""
    path = place(name)
    try:
        content, digest = path.read_bytes(), path.with_suffix(".sha256").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    return content if hashlib.sha256(content).hexdigest() == digest else None


def keep(name: str, content: bytes) -> None:
    """Keep a content under a name; a cache that cannot be written costs time, not the evaluation."""
    path = place(name)
    with suppress(NacreError, OSError):
        write_atomically(path.with_suffix(".sha256"), hashlib.sha256(content).hexdigest().encode())
        write_atomically(path, content)
