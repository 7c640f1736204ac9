"""Tables of numbers and categories, some of them missing: what networks see of them, and a likelihood over them."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import at_least

BOUND = 20.0  # of a logit: its exponential and a sum of thousands of them stay finite in float32


class TableInput(nn.Module):
    """Rows as networks like them: numbers standardised, categories one-hot, a flag for each column that can be missing.

    Args:
        spec: Data of any kind; what is no table is a row of numbers.
    """

    center: Tensor
    scale: Tensor
    number: Tensor
    slots: Tensor
    gaps: Tensor

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        counts = sizes(spec)
        numbers = [j for j, count in enumerate(counts) if not count]
        flags = [j for j, name in enumerate(spec.columns) if name in spec.missing]
        self.categorical = [(j, count) for j, count in enumerate(counts) if count]
        self.register_buffer("number", torch.tensor(numbers, dtype=torch.int64), persistent=False)
        self.register_buffer("gaps", torch.tensor(flags, dtype=torch.int64), persistent=False)
        for name, values in (("center", spec.center), ("scale", spec.scale)):
            every = torch.tensor(values).expand(spec.size) if len(values) == 1 else torch.tensor(values)
            self.register_buffer(name, every[self.number].clone(), persistent=False)
        counts = [count for _, count in self.categorical]
        self.choices = sum(counts)
        self.register_buffer("slots", torch.tensor([0, *counts[:-1]]).cumsum(0), persistent=False)
        self.width = len(numbers) + self.choices + len(flags)

    def forward(self, x: Tensor) -> Tensor:
        """(n, *shape) -> (n, width); a missing value is 0 in all its places but the flag."""
        rows = x.flatten(1)
        parts = [((rows[:, self.number] - self.center) / self.scale).nan_to_num(0.0)]
        if self.categorical:
            chosen = rows[:, [j for j, _ in self.categorical]]
            known = chosen.isfinite()
            index = chosen.nan_to_num(0.0).long() + self.slots
            hot = rows.new_zeros(len(rows), self.choices)
            parts.append(hot.scatter(1, index, known.to(rows.dtype)))
        if len(self.gaps):
            parts.append(rows[:, self.gaps].isnan().to(rows.dtype))
        return torch.cat(parts, 1)


def sizes(spec: Spec) -> list[int]:
    """The number of categories of every column; 0 for a number."""
    return [len(names) for names in spec.categories] or [0] * spec.size


class TableLikelihood(nn.Module):
    """Every column is one of its options, by a softmax: categories, bins of a number, or missing.

    The bins of a number hold equally many training values; a value so frequent that it fills a bin has one to itself.
    A number is drawn uniformly inside its bin. -log p is that of the binned table, a probability and not a density.

    Args:
        spec: The data.
        bins: Of a number, 2 or more.
    """

    outputs: ClassVar[int] = 1
    density: ClassVar[bool] = False

    low: Tensor
    high: Tensor
    used: Tensor
    whole: Tensor
    offset: Tensor
    member: Tensor
    number: Tensor
    last: Tensor
    gap: Tensor

    def __init__(self, spec: Spec, bins: int = 50) -> None:
        super().__init__()
        at_least(2, bins=bins)
        self.shape, self.bins = spec.shape, bins
        counts = sizes(spec)
        gaps = [name in spec.missing for name in spec.columns] or [False] * spec.size
        self.gaps = gaps
        self.options = [(count or bins) + gap for count, gap in zip(counts, gaps, strict=True)]
        numbers = [j for j, count in enumerate(counts) if not count]
        starts = torch.tensor([0, *self.options]).cumsum(0)
        self.width = int(starts[-1])
        column = torch.arange(len(self.options)).repeat_interleave(torch.tensor(self.options))
        self.register_buffer("number", torch.tensor(numbers, dtype=torch.int64), persistent=False)
        self.register_buffer("offset", starts[:-1], persistent=False)
        self.register_buffer("gap", torch.tensor(gaps), persistent=False)
        self.register_buffer("last", torch.tensor(self.options) - 1, persistent=False)
        self.register_buffer("member", torch.nn.functional.one_hot(column, len(self.options)).float(), persistent=False)
        # What the training data decide: the edges of the bins, which options occur, which numbers are whole.
        middle = torch.tensor(spec.center).expand(spec.size) if len(spec.center) == 1 else torch.tensor(spec.center)
        self.register_buffer("low", middle[self.number, None].repeat(1, bins))
        self.register_buffer("high", self.low.clone())
        self.register_buffer("used", torch.ones(self.width))
        self.register_buffer("whole", torch.zeros(len(numbers), dtype=torch.bool))

    def begin(self, data: Data) -> None:
        """Cut the numbers of the training data into bins."""
        rows = data.examples(100_000).x.flatten(1).cpu()
        used = torch.ones(self.width)
        for i, j in enumerate(self.number.tolist()):
            values = rows[:, j]
            values = values[values.isfinite()]
            start = int(self.offset[j])
            if not len(values):  # none is known: one bin at the data's middle
                used[start + 1 : start + self.bins] = 0
                continue
            edges = cut(values, self.bins)
            used[start + len(edges) : start + self.bins] = 0
            filled = torch.cat([edges, edges[-1:].expand(self.bins - len(edges), 2)])
            self.low[i], self.high[i] = filled[:, 0], filled[:, 1]
            self.whole[i] = bool((values == values.round()).all())
        self.used.copy_(used)

    def targets(self, x: Tensor) -> Tensor:
        """The option of every column, int64 (n, columns), counted over all columns."""
        rows = x.flatten(1)
        missing = rows.isnan()
        chosen = rows.nan_to_num(0.0)
        if len(self.number):
            # A bin reaches halfway to the next; unused bins repeat the last one and are never above a value.
            between = (self.high[:, :-1] + self.low[:, 1:]) / 2
            values = chosen[:, self.number].T.contiguous()
            index = torch.searchsorted(between.contiguous(), values).T
            count = (self.used_bins() - 1).expand_as(index)
            chosen = chosen.index_copy(1, self.number, torch.minimum(index, count).to(rows.dtype))
        return torch.where(missing, self.last, chosen.long()) + self.offset

    def used_bins(self) -> Tensor:
        """How many bins every number has, int64 (numbers,)."""
        index = self.offset[self.number, None] + torch.arange(self.bins, device=self.offset.device)
        return self.used[index].sum(1).long()

    def logits(self, h: Tensor) -> Tensor:
        """The decoder's outputs kept within +-20, (n, width)."""
        return BOUND * torch.tanh(h.flatten(1) / BOUND)

    def nll(self, h: Tensor, x: Tensor) -> Tensor:
        """-log p(x | h) in nats, shape (n,); that of the others where a column that always was known is missing."""
        logits = self.logits(h)
        # One product with a 0/1 matrix sums the exponentials of every column at once.
        normaliser = ((logits.exp() * self.used) @ self.member).log()
        of_columns = normaliser - logits.gather(1, self.targets(x))
        return of_columns.masked_fill(x.flatten(1).isnan() & ~self.gap, 0.0).sum(1)

    def mean(self, h: Tensor) -> Tensor:
        """The likeliest known value of every column, a bin's middle for a number: (n, *shape)."""
        return self._values(self._scores(h, missing=False), 0.5)

    def sample(self, h: Tensor, missing: bool = True) -> Tensor:
        """A draw of every column, (n, *shape).

        Args:
            h: The decoder's outputs (n, width).
            missing: Whether values may be missing as they are in the data, else only known ones are drawn.
        """
        scores = self._scores(h, missing)
        noise = -torch.empty_like(scores).exponential_().clamp(min=1e-20).log()
        return self._values(scores + noise, torch.rand(len(h), len(self.options), device=h.device))

    def values(self, hot: Tensor) -> Tensor:
        """The values of chosen options, numbers drawn within their bins: one-hot (n, width) -> (n, *shape)."""
        return self._values(hot, torch.rand(len(hot), len(self.options), device=hot.device))

    def _scores(self, h: Tensor, missing: bool) -> Tensor:
        scores = self.logits(h).masked_fill(self.used == 0, -torch.inf)
        gone = [
            int(self.offset[j]) + n - 1 for j, (n, gap) in enumerate(zip(self.options, self.gaps, strict=True)) if gap
        ]
        if not missing and gone:
            scores[:, gone] = -torch.inf
        return scores

    def _values(self, scores: Tensor, place: Tensor | float) -> Tensor:
        """The values of the best options, numbers at this place between 0 and 1 of their bins."""
        chosen = torch.stack([part.argmax(1) for part in scores.split(self.options, 1)], 1)
        values = chosen.to(scores.dtype)
        if len(self.number):
            index = chosen[:, self.number].clamp(max=self.bins - 1)
            low, high = (edge.gather(1, index.T).T for edge in (self.low, self.high))
            share = place[:, self.number] if isinstance(place, Tensor) else place
            drawn = low + (high - low) * share
            values = values.index_copy(1, self.number, torch.where(self.whole, drawn.round(), drawn))
        last = torch.tensor([n - 1 if gap else -1 for n, gap in zip(self.options, self.gaps, strict=True)])
        values = values.masked_fill(chosen == last.to(chosen.device), torch.nan)
        return values.view(len(values), *self.shape)


def cut(values: Tensor, bins: int) -> Tensor:
    """The lowest and highest value of each of at most `bins` groups of about equally many values, (groups, 2).

    Args:
        values: Known values (n,), n of 1 or more.
        bins: Groups, 2 or more.
    """
    unique, counts = values.sort().values.unique_consecutive(return_counts=True)
    if len(unique) <= bins:
        return torch.stack([unique, unique], 1)
    edges: list[tuple[float, float]] = []
    left, start, filled = len(values), 0, 0
    for i, count in enumerate(counts.tolist()):
        groups = bins - len(edges)
        # The group ends before a value that would overfill it, so that frequent values stand alone.
        if filled and groups > 1 and filled + count > 1.5 * left / groups:
            edges.append((float(unique[start]), float(unique[i - 1])))
            left, start, filled, groups = left - filled, i, 0, groups - 1
        filled += count
        if groups > 1 and filled >= left / groups:
            edges.append((float(unique[start]), float(unique[i])))
            left, start, filled = left - filled, i + 1, 0
    if filled:
        edges.append((float(unique[start]), float(unique[-1])))
    return torch.tensor(edges)
