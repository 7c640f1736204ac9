"""What a conditional model is told: labels and attributes, any of which may be unknown."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.game import Batch

if TYPE_CHECKING:
    from nacre.model import Model

UNKNOWN = -1
REMEMBERED = 10_000

Labels = int | str | Sequence[int] | Sequence[str] | np.ndarray | Tensor | None
Attributes = dict[str, float | Sequence[float] | Tensor] | Tensor | None


class Conditions(nn.Module):
    """Labels and attributes as one vector: one-hot labels, standardised attributes, and a flag for each that is known.

    What is unknown (label -1, attribute NaN) is 0 with the flag 0, so that a model can be trained and asked with parts
    of the conditions.

    Args:
        spec: The data, with classes or attributes.
        hidden: Share of the conditions that are hidden in training, each on its own, in [0, 1).
        needed: Whether there must be any.
        emphasis: Factor of the vector, positive: the larger, the sooner networks heed it.

    Raises:
        NacreError: They are needed and the data have neither.
    """

    mean: Tensor
    sd: Tensor
    labels: Tensor
    attributes: Tensor

    def __init__(self, spec: Spec, hidden: float = 0.1, needed: bool = True, emphasis: float = 1.0) -> None:
        super().__init__()
        self.classes, self.names, self.hidden, self.emphasis = spec.classes, spec.attributes, hidden, emphasis
        if needed and not self.classes and not self.names:
            raise NacreError(
                "a conditional model needs data with labels or attributes; give labelled data, or measure "
                "attributes of images with --attributes thickness slant."
            )
        k = len(self.names)
        self.width = (len(self.classes) + 1 if self.classes else 0) + 2 * k
        self.register_buffer("mean", torch.zeros(k))
        self.register_buffer("sd", torch.ones(k))
        # Conditions of training examples, drawn from when a sample is asked for without any.
        self.register_buffer("labels", torch.zeros(REMEMBERED, dtype=torch.int64))
        self.register_buffer("attributes", torch.zeros(REMEMBERED, k))

    def begin(self, data: Data) -> None:
        """Take the attributes' means and deviations, and remember conditions of random training examples."""
        if self.classes and data.y is None:
            raise NacreError("this model is told the class of every example; the data have no labels.")
        if self.classes and data.y is not None and int(data.y.max()) >= len(self.classes):
            raise NacreError(
                f"the data have {len(data.spec.classes)} classes and the model was made for {len(self.classes)}; "
                f"create it with this data's spec."
            )
        index = torch.randint(len(data), (REMEMBERED,)).to(data.device)
        if data.y is not None:
            self.labels.copy_(data.y[index])
        if data.a is not None and self.names:
            known = data.a.isfinite()
            count = known.sum(0).clamp(min=1)
            mean = data.a.nan_to_num(0.0).sum(0) / count
            square = ((data.a - mean).nan_to_num(0.0)).square().sum(0) / count
            self.mean.copy_(mean)
            self.sd.copy_(square.sqrt().clamp(min=1e-6))
            self.attributes.copy_(data.a[index])

    def of_batch(self, batch: Batch) -> Tensor:
        """The conditions of a training batch, some of them hidden: (n, width)."""
        n = len(batch)
        labels = batch.y if self.classes else None
        attributes = batch.a if self.names else None
        if self.training and self.hidden:
            if labels is not None:
                labels = torch.where(torch.rand(n, device=labels.device) < self.hidden, UNKNOWN, labels)
            if attributes is not None:
                attributes = attributes.masked_fill(torch.rand_like(attributes) < self.hidden, torch.nan)
        return self(n, labels, attributes)

    def forward(self, n: int, labels: Tensor | None = None, attributes: Tensor | None = None) -> Tensor:
        """N condition vectors, (n, width).

        Args:
            n: How many.
            labels: int64 (n,), -1 where unknown; None where all are.
            attributes: float (n, attributes), NaN where unknown; None where all are.
        """
        parts = []
        if self.classes:
            labels = self.labels.new_full((n,), UNKNOWN) if labels is None else labels
            known = (labels >= 0).to(self.mean.dtype)[:, None]
            parts += [one_hot(labels.clamp(min=0), len(self.classes)) * known, known]
        if self.names:
            attributes = self.mean.new_full((n, len(self.names)), torch.nan) if attributes is None else attributes
            known = attributes.isfinite().to(self.mean.dtype)
            parts += [((attributes - self.mean) / self.sd).nan_to_num(0.0), known]
        return self.emphasis * torch.cat(parts, 1).to(self.mean.dtype) if parts else self.mean.new_zeros(n, 0)

    def drawn(self, n: int) -> tuple[Tensor, Tensor]:
        """The labels and attributes of n random training examples, int64 (n,) and float (n, attributes)."""
        index = torch.randint(REMEMBERED, (n,), device=self.labels.device)
        return self.labels[index], self.attributes[index]

    def completed(
        self, n: int, labels: Labels = None, attributes: Attributes = None, alike: bool = False
    ) -> tuple[Tensor, Tensor]:
        """What a user asked for, as `asked` takes it; what is not said is that of random training examples.

        Args:
            n: How many examples.
            labels: As for `asked`.
            attributes: As for `asked`.
            alike: Whether it is that of one training example for all of them, always the same.
        """
        y, a = (self.labels[:1].expand(n), self.attributes[:1].expand(n, -1)) if alike else self.drawn(n)
        asked_y, asked_a = self.asked(n, labels, attributes)
        y = y if asked_y is None else torch.where(asked_y == UNKNOWN, y, asked_y)
        return y, a if asked_a is None else torch.where(asked_a.isnan(), a, asked_a)

    def asked(
        self, n: int, labels: Labels = None, attributes: Attributes = None
    ) -> tuple[Tensor | None, Tensor | None]:
        """What a user asked for as tensors of n rows; None where nothing was said.

        Args:
            n: How many examples.
            labels: A class by number or name, or one for each example.
            attributes: A value, or one for each example, by name; or a tensor (n, attributes).

        Raises:
            NacreError: There is no such class or attribute, or the number of values is another.
        """
        return (
            None if labels is None else self._rows(self._numbers(labels), n, "label"),
            None if attributes is None else self._values(attributes, n),
        )

    def _numbers(self, labels: Labels) -> Tensor:
        if not self.classes:
            raise NacreError("the model was trained without labels; ask for its attributes instead.")
        if isinstance(labels, np.ndarray):
            labels = labels.tolist()
        if isinstance(labels, str):
            labels = self._number(labels)
        elif isinstance(labels, list | tuple):
            labels = [self._number(label) if isinstance(label, str) else label for label in labels]
        given = torch.as_tensor(labels, device=self.labels.device)
        if given.dim() > 1:
            raise NacreError(f"labels have shape {tuple(given.shape)}; give one for each example, or one for all.")
        numbers = given.long()
        if not torch.equal(numbers.to(given.dtype), given):
            raise NacreError("labels must be whole numbers, or the names of classes.")
        if numbers.numel() and not (-1 <= int(numbers.min()) and int(numbers.max()) < len(self.classes)):
            raise NacreError(f"labels must lie between 0 and {len(self.classes) - 1}, or be -1 for unknown.")
        return numbers

    def _number(self, name: str) -> int:
        if name not in self.classes:
            raise NacreError(f"there is no class {name!r}; there are {', '.join(self.classes)}.")
        return self.classes.index(name)

    def _values(self, attributes: Attributes, n: int) -> Tensor:
        if isinstance(attributes, Tensor):
            if attributes.shape != (n, len(self.names)):
                raise NacreError(f"the attributes must have shape ({n}, {len(self.names)}).")
            return attributes.to(self.mean)
        values = self.mean.new_full((n, len(self.names)), torch.nan)
        for name, value in (attributes or {}).items():
            if name not in self.names:
                known = ", ".join(self.names) or "none"
                raise NacreError(f"there is no attribute {name!r}; the model was trained with: {known}.")
            if isinstance(value, str):
                raise NacreError(f"{name} is {value!r}; give a number.")
            values[:, self.names.index(name)] = self._rows(torch.as_tensor(value), n, name).to(self.mean)
        return values

    @staticmethod
    def _rows(values: Tensor, n: int, what: str) -> Tensor:
        values = values[0] if values.dim() and len(values) == 1 else values
        if values.dim() and len(values) != n:
            raise NacreError(f"{len(values)} values of {what} were given for {n} examples; give one, or {n}.")
        return values.expand(n) if not values.dim() else values


def told(model: "Model", batch: Batch, spec: Spec) -> dict[str, Any]:
    """What a conditional model can be told of examples beside themselves, as keywords; of another model nothing.

    Args:
        model: What `redraw` and `reconstruct` are called of.
        batch: The examples.
        spec: That of their data, whose classes may have other numbers than the model's; those it lacks are unknown.
    """
    takes, known = inspect.signature(type(model).redraw).parameters, model.spec
    options: dict[str, Any] = {}
    if "labels" in takes and known.classes and spec.classes and "y" in batch:
        numbers = [known.classes.index(name) if name in known.classes else -1 for name in spec.classes]
        options["labels"] = torch.tensor([*numbers, -1], device=batch.y.device)[batch.y]  # -1 stays -1
    if "attributes" in takes and "a" in batch:
        shared = [name for name in spec.attributes if name in known.attributes]
        options["attributes"] = {name: batch.a[:, spec.attributes.index(name)] for name in shared}
    return options


def told_of(told: dict[str, Any], row: int) -> dict[str, Any]:
    """What `told` says of one example, for all that is made from it."""
    return {k: told_of(v, row) if isinstance(v, dict) else v[row] for k, v in told.items()}
