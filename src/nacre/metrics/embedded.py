"""The features of one evaluation: those of the samples and of real examples, each computed once.

Two reference lines go with every comparison of samples with real examples: other real examples in the samples' place,
which is the floor that a perfect model reaches, and the same with noise, which a useful model should beat.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nacre.data.spec import Spec
from nacre.metrics import store
from nacre.metrics.result import Protocol
from nacre.nets.table import sizes

if TYPE_CHECKING:
    from nacre.metrics.context import Context

NOISE = 0.5
FLIPS = 0.05
Pair = tuple[Tensor, Tensor]


class Embedded:
    """Features (n, d) in float64 on the CPU; those of real examples are kept on disk if a network makes them.

    Args:
        context: The evaluation.
    """

    def __init__(self, context: "Context") -> None:
        self.context, self.extract = context, context.extractor

    @cached_property
    def generated(self) -> Tensor:
        """Of the samples."""
        return self.extract(self.context.generated)

    @cached_property
    def real(self) -> Tensor:
        """Of held-out examples."""
        return self.kept(f"{self.context.held.fingerprint}-drawn-{len(self.context.real)}", lambda: self.context.real.x)

    @cached_property
    def floor(self) -> Pair:
        """Of two disjoint sets of real examples: held and training ones, or two halves where there is no split."""
        if not self.context.has_train:
            first, second = self.halves
            return self.real[first], self.real[second]
        return self.real, self.kept(self.other_key, lambda: self.others)

    @cached_property
    def noisy(self) -> Pair:
        """Of the same two sets, the second with noise; see `noisy`."""
        spec, seed = self.context.held.spec, self.context.seed
        return self.floor[0], self.kept(f"{self.other_key}-noisy", lambda: noisy(self.others, spec, seed))

    @cached_property
    def halves(self) -> Pair:
        """The indices of two random halves of the held-out examples."""
        order = torch.randperm(len(self.context.real), generator=torch.Generator().manual_seed(self.context.seed))
        half = len(order) // 2
        return order[:half], order[half:]

    @cached_property
    def others(self) -> Tensor:
        """The real examples of the second set."""
        return self.context.train_real.x if self.context.has_train else self.context.real.x[self.halves[1]]

    @property
    def other_key(self) -> str:
        """What the features of the second set are kept under."""
        if self.context.has_train:
            return f"{self.context.train.fingerprint}-drawn-{self.context.size}"
        return f"{self.context.held.fingerprint}-half-drawn-{len(self.context.real)}"

    def kept(self, key: str, examples: Callable[[], Tensor]) -> Tensor:
        """Features from the cache, or of these examples; a later evaluation agrees to the last bit."""
        if not self.extract.digest:
            return self.extract(examples())
        from safetensors.torch import load, save

        name = f"{key}-{self.context.seed}-{self.extract.digest}"
        content = store.read(name)
        if content is None:
            content = save({"features": self.extract(examples()).float()})
            store.keep(name, content)
        return load(content)["features"].double()

    def references(self, distance: Callable[[Tensor, Tensor], float]) -> dict[str, float]:
        """The reference lines; in a quick evaluation the floor alone."""
        lines = {"real against real": distance(*self.floor)}
        return lines if self.context.quick else {**lines, "noisy reals": distance(*self.noisy)}

    def protocol(self, method: str = "", n: int | None = None) -> Protocol:
        """The protocol of a result on these features, or on n of them on either side."""
        return self.context.protocol(
            method,
            n_real=n or len(self.real),
            n_generated=n or len(self.generated),
            features=self.extract.name,
            resize=self.extract.resize,
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What every metric on these features should warn of."""
        return (*self.context.warnings, *self.extract.warnings)

    @property
    def details(self) -> dict[str, object]:
        """How the reference lines were made."""
        lines: dict[str, object] = {"n_floor": [len(rows) for rows in self.floor]}
        return lines if self.context.quick else {**lines, "noisy reals": noise(self.context.held.spec)}


def obstacle(context: "Context", least: int) -> str:
    """Why samples cannot be compared with real examples, of which `least` are needed on either side."""
    if not context.model.can("sample"):
        return "it makes no samples"
    n = min(len(context.generated), len(context.real) // (1 if context.has_train else 2))
    return f"it needs {least} samples and real examples, and there are {n}" if n < least else ""


def even(a: Tensor, b: Tensor, seed: int) -> Pair:
    """As many rows of both, drawn at random from the longer, since neighbours are the nearer the more rows there are.

    Args:
        a: Rows (n, d).
        b: Rows (m, d).
        seed: Of the draw.
    """
    n = min(len(a), len(b))
    generator = torch.Generator().manual_seed(seed)
    first, second = (x if len(x) == n else x[torch.randperm(len(x), generator=generator)[:n]] for x in (a, b))
    return first, second


def noisy(x: Tensor, spec: Spec, seed: int) -> Tensor:
    """Examples with noise: N(0, (sd / 2)^2) on every value, clipped into the range; binary values flip with 5 %.

    The sd is that of all values of an image, and of each column of a vector. A category becomes
    that of another example with 5 %, since its number has no neighbours to move to.

    Args:
        x: Examples (n, *shape).
        spec: Their units.
        seed: Of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    if spec.binary:
        return (x - (torch.rand(x.shape, generator=generator) < FLIPS).to(x.dtype)).abs()
    sd = x.std() if spec.kind == "image" else x.std(0)
    moved = x + NOISE * sd * torch.randn(x.shape, generator=generator)
    if any(spec.categories):
        others = x[torch.randperm(len(x), generator=generator)]
        changed = torch.where(torch.rand(x.shape, generator=generator) < FLIPS, others, x)
        return torch.where(torch.tensor(sizes(spec)) > 0, changed, moved)
    return moved.clamp(0, 1) if spec.bounded else moved


def noise(spec: Spec) -> str:
    """The noise of `noisy` in words."""
    if spec.binary:
        return f"other real examples of which every value flips with probability {FLIPS:g}"
    if any(spec.categories):
        return f"other real examples plus N(0, ({NOISE:g} sd)^2), or another's category with probability {FLIPS:g}"
    return f"other real examples plus N(0, ({NOISE:g} sd)^2){', clipped into [0, 1]' if spec.bounded else ''}"
