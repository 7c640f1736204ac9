"""Whether samples are nearer to training examples than other real examples are."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nacre.metrics.context import Context
from nacre.metrics.intervals import around, of_share
from nacre.metrics.result import Result
from nacre.pictures import save_grid, save_pairs

CHEAP = False
QUERIES = 2_000
CLOSE = 0.05
CHUNK = 5_000
PAIRS = 8
HIGH = 0.6


class Nearest(NamedTuple):
    """The nearest training example of every example.

    Args:
        distance: To it (n,), float64.
        row: Its row in the training data (n,).
        ratio: Its distance over that of the second nearest, in [0, 1] (n,), float64.
    """

    distance: Tensor
    row: Tensor
    ratio: Tensor


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not context.model.can("sample"):
        return "it makes no samples"
    return "" if context.has_train else "there are no training examples apart from the held ones"


def measure(context: Context) -> list[Result]:
    """`memorisation`, the probability that a sample is nearer to training than a real example is, and `memorised`.

    With d the distance to the nearest of all training examples in the space of features, `memorisation` is
    P(d(sample) < d(held-out example)), ties counted half, and `memorised` is the share of samples with d below the 5 %
    quantile of held-out examples. Copies are counted, and both are measured in pixels too.

    Reference:
        Meehan, Chaudhuri, Dasgupta. A non-parametric test to detect data-copying in generative models. 2020.
    """
    extract = context.extractor
    samples, real = context.generated[:QUERIES], context.real.x[:QUERIES]
    spaces: dict[str, Callable[[Tensor], Tensor]] = {
        "features": lambda x: extract(x).float(), "pixels": lambda x: x.flatten(1),
    }  # fmt: skip
    found = {name: (Search(space(samples)), Search(space(real))) for name, space in spaces.items()}
    for rows in chunks(context):
        for name, space in spaces.items():
            training = space(rows)
            for search in found[name]:
                search.look(training)
    near = {name: (of_samples.nearest, of_real.nearest) for name, (of_samples, of_real) in found.items()}
    (close, held), (pixels, held_pixels) = near["features"], near["pixels"]
    value, error = probability_nearer(close.distance, held.distance)
    relative = probability_nearer(close.ratio, held.ratio)[0]
    threshold, pixel_threshold = (of.distance.quantile(CLOSE) for of in (held, held_pixels))
    share = float((close.distance < threshold).double().mean())
    apart = 0.5 / 255 if context.data.spec.kind == "image" else 0.0
    details: dict[str, Any] = {
        "pixels": probability_nearer(pixels.distance, held_pixels.distance)[0],
        "relative to the second nearest": relative,
        "copies": copies(context, samples, pixels.row, apart),
        "copies among held-out examples": copies(context, real, held_pixels.row, apart),
        "interval": "normal, variance by placements (DeLong 1988)",
    }
    protocol = context.protocol(
        f"nearest of {len(context.train):,} training examples", n_real=len(real), n_generated=len(samples),
        features=extract.name,
    )  # fmt: skip
    warnings = [*context.warnings, *extract.warnings]
    if value > HIGH and relative < HIGH:
        warnings.append("samples are near to training examples but hardly nearer to one than to the next: typical "
                        "or smooth samples are so without being copies; look at memorisation.png.")  # fmt: skip
    if context.pictures and context.data.spec.kind == "image":
        draw_pairs(context, samples, close)
    low, high = around(value, error)
    return [
        Result("memorisation", value, "P(sample nearer than real)", "", protocol,
               interval=(max(0.0, low), min(1.0, high)), references={"held-out": 0.5}, warnings=tuple(warnings),
               details=details),
        Result("memorised", share, "of samples", "", protocol, interval=of_share(share, len(samples)),
               references={"held-out": CLOSE}, warnings=context.warnings,
               details={"threshold": float(threshold), "quantile": CLOSE,
                        "pixels": float((pixels.distance < pixel_threshold).double().mean()),
                        "interval": f"Wilson, over {len(samples)} samples"}),
    ]  # fmt: skip


def chunks(context: Context) -> Iterator[Tensor]:
    """All training examples in their order, 5,000 at a time, on the CPU."""
    for index in torch.arange(len(context.train)).split(CHUNK):
        yield context.train.batch(index.to(context.train.device)).x.cpu()


class Search:
    """The two nearest of training examples that come in parts.

    Args:
        x: What neighbours are looked for (n, d).
    """

    def __init__(self, x: Tensor) -> None:
        self.x, self.seen = x, 0
        self.first = torch.full((len(x),), torch.inf, dtype=torch.float64)
        self.second = self.first.clone()
        self.index = torch.zeros(len(x), dtype=torch.int64)

    def look(self, training: Tensor) -> None:
        """Take the next training examples (m, d) into account."""
        squares = training.square().sum(1) - 2 * self.x @ training.T  # (n, m), but for |x|^2
        for _ in range(min(2, len(training))):
            index = squares.argmin(1)
            # Found by the fast product, then measured anew: the product loses the digits of small distances.
            distance = (self.x - training[index]).double().square().sum(1).sqrt()
            nearer = distance < self.first
            self.second = torch.where(nearer, self.first, torch.minimum(self.second, distance))
            self.first = torch.where(nearer, distance, self.first)
            self.index = torch.where(nearer, index + self.seen, self.index)
            squares.scatter_(1, index[:, None], torch.inf)
        self.seen += len(training)

    @property
    def nearest(self) -> Nearest:
        """What was found so far."""
        return Nearest(self.first, self.index, torch.where(self.second > 0, self.first / self.second, 1.0))


def probability_nearer(a: Tensor, b: Tensor) -> tuple[float, float]:
    """P(a < b) + P(a = b) / 2 of two sets of numbers, and its standard error.

    Args:
        a: Numbers (n,).
        b: Numbers (m,).

    Reference:
        DeLong, DeLong, Clarke-Pearson. Comparing the areas under two or more correlated receiver operating
        characteristic curves. 1988.
    """
    of_a, of_b = placements(a, b), 1 - placements(b, a)
    return float(of_a.mean()), float(of_a.var() / len(a) + of_b.var() / len(b)) ** 0.5


def placements(a: Tensor, b: Tensor) -> Tensor:
    """For every number of a (n,) the share of b that is greater, ties counted half, (n,)."""
    b = b.sort().values
    below, up_to = torch.searchsorted(b, a), torch.searchsorted(b, a, right=True)
    return 1 - (below + up_to).double() / (2 * len(b))


def copies(context: Context, x: Tensor, index: Tensor, apart: float) -> int:
    """How many examples differ from a training example by at most `apart` in every value."""
    rows = context.train.batch(index.to(context.train.device)).x.cpu()
    return int(((x - rows).abs().flatten(1).amax(1) <= apart).sum())


def draw_pairs(context: Context, samples: Tensor, near: Nearest) -> None:
    """Write memorisation.png: the samples closest to training above their nearest training examples."""
    closest = near.distance.argsort()[:PAIRS]
    rows = context.train.batch(near.row[closest].to(context.train.device)).x.cpu()
    spec, place = context.data.spec, context.pictures / "memorisation.png"
    if spec.kind == "vector":
        save_pairs(rows, samples[closest], place, spec, PAIRS)
    else:
        save_grid(torch.cat([samples[closest], rows]), place, spec, PAIRS)
