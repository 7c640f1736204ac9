"""The nouns of a game: Turn, Phase, Batch and PerPlayer."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from torch import Tensor, nn


class Batch(dict[str, Any]):
    """Named values of n examples, such as `batch.x` (n, ...) and `batch.y` (n,).

    A loss may leave a value on the batch for the turns that follow. The length is the number of examples.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"this batch has no {name!r}; it has {', '.join(self)}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __len__(self) -> int:
        return len(next(iter(self.values()))) if self.keys() else 0

    def split(self, parts: int) -> list["Batch"]:
        """The same examples as `parts` batches of nearly equal length."""
        if parts == 1:
            return [self]
        n = len(self)
        edges = [round(i * n / parts) for i in range(parts + 1)]
        return [Batch({k: v[a:b] for k, v in self.items()}) for a, b in pairwise(edges)]


class PerPlayer(dict[str, Tensor | dict[str, Tensor]]):
    """Several losses on one forward pass, each differentiated for its own player only.

    Keys are the names of players of the turn, values a tensor or a dict of named terms:
    `PerPlayer(encoder=a, decoder=b)`.
    """


Loss = Tensor | dict[str, Tensor] | PerPlayer


@dataclass(frozen=True)
class Turn:
    """One line of a paper's algorithm box: who moves, by which loss, how often.

    Every module that is not a player is frozen while the turn is played. That is the detach: no gradient is computed
    for it, none can leak into it, and its batch-norm statistics stay as they are.

    Args:
        players: The module or modules that move.
        loss: Maps a batch to a tensor, a dict of named terms (summed), or `PerPlayer`.
        repeat: How often the turn is played in a step; each time after the first draws a fresh batch.
        every: The turn is played in every k-th step only, its loss multiplied by k (lazy regularisation).
        stream: The data that feeds it; a stream of another name draws batches of its own.
        optimizer: The name of another optimizer state for the same players.
        after: Called without gradients and without arguments after the step (clip weights, move averages).
        compile: Whether `torch.compile` may compile the loss; False where it differentiates a gradient.
    """

    players: nn.Module | tuple[nn.Module, ...]
    loss: Callable[[Batch], Loss]
    repeat: int = 1
    every: int = 1
    stream: str = "data"
    optimizer: str = ""
    after: Callable[[], None] | None = None
    compile: bool = True

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """The players as a tuple."""
        return self.players if isinstance(self.players, tuple) else (self.players,)

    @property
    def name(self) -> str:
        """The name of the loss, with the arguments it was bound to: "layer_loss 0"."""
        if isinstance(self.loss, partial):
            return " ".join([self.loss.func.__name__, *(str(value) for value in self.loss.args)])
        return self.loss.__name__


@dataclass(frozen=True)
class Phase:
    """A stretch of training: which turns are played, for how long, on what.

    Args:
        name: Shown in the log and the progress bar.
        turns: Gives the phase's turns; called once, after `enter`.
        share: The phase's part of all steps, relative to the other phases' shares.
        enter: Called at the start of the phase and again when a run resumes inside it, so it must be repeatable.
        prepare: Maps every batch before it is played (resize an image, encode by frozen layers).
        keep_optimizers: Carry the optimizer states of the phase before on; by default they start afresh.
        rate: Factor of the learning rates in this phase, whose schedule begins anew.
    """

    name: str
    turns: Callable[[], list[Turn]]
    share: float = 1.0
    enter: Callable[[], None] | None = None
    prepare: Callable[[Batch], Batch] | None = None
    keep_optimizers: bool = False
    rate: float = 1.0
