"""Samples without their model, to be judged like one."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.data.parts import Part, aligned
from nacre.data.sources import load_data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.model import Model


class Given(Model):
    """A model that answers `sample` with examples it was given: an array, a folder of images, another data set.

    Args:
        spec: The data.
        samples: The examples, with labels where they have them.
    """

    title: ClassVar[str] = "Given samples"
    density: ClassVar[str] = "none"
    mixed: ClassVar[bool] = True

    def __init__(self, spec: Spec, samples: Data) -> None:
        super().__init__(spec)
        self.given = samples

    def sample(self, n: int, *, seed: int | None = None, **conditions: Any) -> Tensor:
        """A random subset of n of them, or all where there are fewer, shape (at most n, *shape)."""
        return self.given.examples(n, seed or 0).x

    def labels(self, n: int, seed: int = 0) -> Tensor | None:
        """The labels of what `sample` gives, int64 (at most n,), if there are any."""
        batch = self.given.examples(n, seed)
        return torch.as_tensor(batch.y) if "y" in batch else None

    @classmethod
    def registered_name(cls) -> str:
        """What messages call it."""
        return "samples"


def subject(model: Any, data: Data) -> Model:
    """What is judged as a model: a run folder is loaded, samples are wrapped."""
    if isinstance(model, Model):
        return model
    if isinstance(model, str | Path) and (Path(model) / "run.json").is_file():
        from nacre.api import load

        return load(model)
    split = "all" if isinstance(model, str | Path) and Path(model).exists() else None  # not the training part of it
    samples = load_data(model, split=split)
    if data.label in samples.spec.columns:
        samples = load_data(model, split=split, label=data.label)
    return Given(data.spec, like(samples, data))


def like(samples: Data, data: Data) -> Data:
    """Samples in the units of the data they are judged by.

    Raises:
        NacreError: They have another shape, other columns, categories or labels.
    """
    samples = numbered_like(samples, data.spec)
    if samples.spec.shape != data.spec.shape:
        raise NacreError(
            f"the samples have shape {samples.spec.shape} but the data have {data.spec.shape}; "
            f"judge samples of the data's own shape."
        )
    if samples.y is None or not data.spec.classes:
        return samples
    return with_classes(samples, data.spec.classes)


def with_classes(data: Data, names: tuple[str, ...]) -> Data:
    """Labelled data whose labels are numbered by other names of classes, of which they may have some only.

    Raises:
        NacreError: They have a class of another name.
    """
    own = data.spec.classes
    if data.y is None or own == names:
        return data
    if strange := [name for name in own if name not in names]:
        raise NacreError(f"there is no label {strange[0]!r} among {', '.join(names)}; give labels of these.")
    renamed = renewed(data, lambda other: with_classes(other, names))
    renamed.y = torch.tensor([names.index(name) for name in own])[data.y.cpu()]
    renamed.spec = replace(data.spec, classes=names)
    return renamed


def renewed(data: Data, change: Callable[[Data], Data]) -> Data:
    """A copy of data that are to be changed, whose other splits will be changed likewise."""
    other, reload = copy(data), data.reload
    other.__dict__.pop("fingerprint", None)
    other.siblings = {}
    other.reload = None if reload is None else lambda **options: change(reload(**options))
    return other


def numbered_like(samples: Data, spec: Spec, name: str = "the table of samples", of: str = "the data") -> Data:
    """A table with the columns of another in their order and its numbers of categories; others as they are.

    Args:
        samples: What may be a table.
        spec: The columns.
        name: What messages call the table.
        of: What they call those that the columns are of.

    Raises:
        NacreError: Columns or categories are others.
    """
    own = samples.spec
    if not own.columns or not spec.columns:
        return samples
    if set(own.columns) != set(spec.columns):
        strange = ", ".join(sorted(set(own.columns) ^ set(spec.columns)))
        raise NacreError(f"{name} and {of} do not share the columns {strange}; give both the same.")
    order = [own.columns.index(column) for column in spec.columns]
    none = ((),) * len(order)
    categories = tuple((own.categories or none)[i] for i in order)
    for column, names, known in zip(spec.columns, categories, spec.categories or none, strict=True):
        if bool(names) != bool(known):
            holds, kind = ("categories", "numbers") if names else ("numbers", "categories")
            example = f", such as {no_number(names)!r}" if names else ""
            raise NacreError(
                f"the column {column!r} of {name} holds {holds}{example}, where that of {of} holds {kind}."
            )
        if strange := set(names) - set(known):
            raise NacreError(f"the column {column!r} of {name} holds {min(strange)!r}, which that of {of} does not.")
    renumbered = renewed(samples, lambda other: numbered_like(other, spec, name, of))
    x = samples.x[:, order].numpy()
    reference = Part(x, columns=spec.columns, categories=spec.categories)
    renumbered.x = torch.from_numpy(aligned(Part(x, columns=spec.columns, categories=categories), reference).x)
    renumbered.spec = replace(
        own,
        columns=spec.columns,
        categories=spec.categories,
        center=tuple(own.center[i] for i in order),
        scale=tuple(own.scale[i] for i in order),
    )
    return renumbered


def no_number(names: tuple[str, ...]) -> str:
    """The first of the texts that reads as no number, for which a column became one of categories; else the first."""
    for name in names:
        try:
            float(name)
        except ValueError:
            return name
    return names[0]
