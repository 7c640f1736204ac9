"""Checkpoints that survive a kill at any moment: written aside, flushed, renamed, and checked by their hash."""

import contextlib
import hashlib
import io
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nacre.errors import NacreError

VERSION = 1


def random_state() -> dict[str, Any]:
    """The state of every random generator of this process, in plain values."""
    version, key, position = random.getstate()[0], list(random.getstate()[1]), random.getstate()[2]
    kind, keys, place, has_gauss, cached = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": [version, key, position],
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), place, has_gauss, cached],
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Put every random generator back."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    version, key, position = state["python"]
    random.setstate((version, tuple(key), position))
    kind, keys, place, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), place, has_gauss, cached))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is either whole or not there.

    Raises:
        NacreError: The disk is full or the folder cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise NacreError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another --out "
            f"(what was saved before is intact)."
        ) from error


class Checkpoints:
    """The checkpoints of a run: `checkpoints/step_00000200.pt` with its `.sha256` beside it.

    Every process writes a file of its own with its random state and its buffers; rank 0's also holds what all share.

    Args:
        folder: The run folder.
        keep: How many of the newest stay.
        rank: This process.
    """

    def __init__(self, folder: Path, keep: int = 2, rank: int = 0) -> None:
        self.folder = folder / "checkpoints"
        self.keep = keep
        self.rank = rank

    def path(self, step: int, rank: int | None = None) -> Path:
        """The file of a step and a process."""
        rank = self.rank if rank is None else rank
        return self.folder / (f"step_{step:08d}.pt" if rank == 0 else f"step_{step:08d}.rank{rank}.pt")

    def steps(self) -> list[int]:
        """The steps this process has checkpoints of, oldest first."""
        suffix = ".pt" if self.rank == 0 else f".rank{self.rank}.pt"
        found = [p.name for p in self.folder.glob(f"step_*{suffix}")]
        return sorted(int(name[5:13]) for name in found if name == f"step_{name[5:13]}{suffix}")

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a checkpoint and drop the oldest ones."""
        write_state(self.path(step), step, state)
        for old in self.steps()[: -self.keep]:
            self.path(old).unlink(missing_ok=True)
            self.path(old).with_suffix(".sha256").unlink(missing_ok=True)

    def save_best(self, step: int, state: dict[str, Any]) -> None:
        """Write or replace `best.pt`, the state at the best evaluation, which stays whatever is dropped."""
        write_state(self.folder / "best.pt", step, state)

    def load_best(self) -> dict[str, Any] | None:
        """The state at the best evaluation; None if there is none or its file is damaged."""
        content = whole(self.folder / "best.pt")
        return None if content is None else torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)

    def valid(self, say: Callable[[str], None]) -> list[int]:
        """The steps whose files are whole, oldest first; a damaged file is named and passed over."""
        found = []
        for step in self.steps():
            if whole(self.path(step)) is None:
                say(f"{self.path(step)} is damaged (its checksum differs); passing over it.")
            else:
                found.append(step)
        return found

    def load(self, step: int) -> dict[str, Any]:
        """The state of a step whose file is whole.

        Raises:
            NacreError: Another version of nacre wrote it.
        """
        content = whole(self.path(step))
        if content is None:
            raise NacreError(f"{self.path(step)} is damaged or missing; resume from another checkpoint.")
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if state.get("version") != VERSION:
            raise NacreError(
                f"{self.path(step)} has checkpoint version {state.get('version')}, this nacre reads version {VERSION}; "
                f"go on with the nacre that wrote it (see run.json), or start a new run with another --out."
            )
        return state


def write_state(path: Path, step: int, state: dict[str, Any]) -> None:
    """Write a state and its hash beside it."""
    buffer = io.BytesIO()
    torch.save({"version": VERSION, "step": step, **state}, buffer)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    write_atomically(path.with_suffix(".sha256"), f"{digest}  {path.name}\n".encode())
    write_atomically(path, content)


def whole(path: Path) -> bytes | None:
    """The content of a state's file; None if it is missing or differs from its hash."""
    try:
        content, line = path.read_bytes(), path.with_suffix(".sha256").read_text()
    except FileNotFoundError:
        return None
    return content if hashlib.sha256(content).hexdigest() == line.split(" ")[0] else None
