"""What one checkup sees of a run, without leaving a trace in it.

Everything is drawn from seeds of its own and computed without gradients; modes, buffers, gradients and the random state
are afterwards what they were. What a model cannot show is None, and the ailments that need it stay silent.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from nacre.data.dataset import Data, LazyData
from nacre.data.spec import Spec
from nacre.engine.doctor.units import collecting
from nacre.engine.play import NORMS
from nacre.errors import NacreError
from nacre.model import Model, seeded

if TYPE_CHECKING:
    from nacre.engine.loop import Trainer

MOST, FEWEST = 256, 64  # examples of each kind, by the batch size
TRAINING_ROWS = 2_000
DIRECTIONS = 128
SIDE = 16
CANNOT = (AttributeError, LookupError, TypeError, ValueError, RuntimeError, NacreError)


class Features:
    """Examples as short vectors whose distances stand for those of the examples: (n, *shape) -> (n, d), d <= 128.

    Values in the data's units of spread; images averaged to at most 16 x 16; then fixed random directions, which keep
    distances within about 10 % (Johnson & Lindenstrauss 1984).

    Args:
        spec: The data.
        device: Where the examples are.
    """

    def __init__(self, spec: Spec, device: torch.device) -> None:
        self.spec = spec
        self.sides = (min(spec.shape[1], SIDE), min(spec.shape[2], SIDE)) if spec.kind == "image" else None
        size = spec.shape[0] * self.sides[0] * self.sides[1] if self.sides else spec.size
        generator = torch.Generator().manual_seed(0)
        self.directions = (
            torch.randn(size, DIRECTIONS, generator=generator).to(device) / DIRECTIONS**0.5
            if size > DIRECTIONS
            else None
        )
        self.center = torch.tensor(spec.center, device=device)
        self.scale = torch.tensor(spec.scale, device=device)

    def __call__(self, x: Tensor) -> Tensor:
        """(n, *shape) -> (n, d)."""
        x = (x - self.center) / self.scale
        x = (adaptive_avg_pool2d(x, self.sides) if self.sides else x).flatten(1)
        return x if self.directions is None else x @ self.directions


class References:
    """What every checkup of a run compares with, made once.

    Args:
        data: The training data.
        n: Examples of each kind, 2 or more.
        device: Where the model lives.
    """

    def __init__(self, data: Data, n: int, device: torch.device) -> None:
        self.data, self.n, self.device = data, min(n, len(data)), device
        self.features = Features(data.spec, device)
        self.real = self._examples(data)

    def _examples(self, data: Data) -> Tensor:
        return data.examples(self.n, seed=1).x.to(self.device)

    @cached_property
    def held(self) -> Tensor | None:
        """Examples that were not trained on, where the source has a test split."""
        sibling = self.data.sibling("test") if self.data.split != "test" else None
        return None if sibling is None or len(sibling) < FEWEST else self._examples(sibling)

    @cached_property
    def real_features(self) -> Tensor:
        """The features of the real examples, (n, d)."""
        return self.features(self.real)

    @cached_property
    def bandwidth(self) -> float:
        """Half the median distance between two real examples, in features; of the kernel exp(-d^2 / 2 h^2)."""
        distances = torch.pdist(self.real_features)
        return float(distances.median().clamp(min=1e-6)) / 2 if len(distances) else 1.0

    @cached_property
    def real_diversity(self) -> float:
        """The effective number of different real examples; see `diversity`."""
        return diversity(self.real_features, self.bandwidth)

    @cached_property
    def trained_on(self) -> Tensor | None:
        """The features of at most 2,000 training examples; None for images that would have to be decoded."""
        if isinstance(self.data, LazyData):
            return None
        return self.features(self.data.examples(TRAINING_ROWS, seed=2).x.to(self.device))

    @cached_property
    def usual_distances(self) -> Tensor | None:
        """Distance of every held-out example to its nearest training example, in features (n,)."""
        if self.held is None or self.trained_on is None:
            return None
        return torch.cdist(self.features(self.held), self.trained_on).amin(1)


@dataclass(frozen=True)
class Scores:
    """A judge's scores, higher for what it takes to be real, each (n,).

    Args:
        real: Of training examples.
        fake: Of samples.
        held: Of held-out examples, if there are any.
    """

    real: Tensor
    fake: Tensor
    held: Tensor | None


class Checkup:
    """One look at a run: the model is called once, and the rest is computed when first asked for.

    Args:
        trainer: The run.
        references: What to compare with.
    """

    def __init__(self, trainer: "Trainer", references: References) -> None:
        self.trainer, self.references = trainer, references
        self.model: Model = trainer.model
        begin = trainer.ends[trainer.phase - 1] if trainer.phase else 0
        self.done, self.length = trainer.step - begin, trainer.ends[trainer.phase] - begin  # steps of the phase
        with collecting(self.model, self.model.spec.size) as units:
            self.samples = self._samples()
            self.scores = self._scores()
            self.posterior = self._posterior()
            if self.samples is None and self.posterior is None:
                self._run()
        self._units = units

    def _try(self, sense: Callable[[], Any]) -> Any:
        """What a model shows, or None where it needs more than the doctor can give it, such as labels."""
        try:
            with self.model.evaluating(), seeded(0), torch.no_grad():
                return sense()
        except CANNOT:
            return None

    @cached_property
    def gradients(self) -> dict[str, tuple[float, float]]:
        """The norms of every player's last gradient and of its weights, by player, in one transfer from the device."""
        groups = {name: group for play in self.trainer.plays for name, group in play.groups.items()}
        names, numbers = [], []
        for name, group in groups.items():
            gradients = [p.grad for p in group if p.grad is not None]
            if gradients:
                names.append(name)
                numbers += [norm(gradients), norm([p.detach() for p in group])]
        values = torch.stack(numbers).tolist() if numbers else []
        return {name: (values[2 * i], values[2 * i + 1]) for i, name in enumerate(names)}

    def _samples(self) -> Tensor | None:
        """Samples (n, *shape), where drawing them takes one pass: of games and of models with a posterior."""
        one_pass = judge_of(self.model) is not None or hasattr(self.model, "posterior")
        if not (one_pass and self.model.can("sample")):
            return None
        return self._try(lambda: self.model.sample(self.references.n, seed=0))

    def _posterior(self) -> Tensor | None:
        """The posterior's mean for every real example (n, latent)."""
        if not hasattr(self.model, "posterior"):
            return None
        return self._try(lambda: self.model.features(self.references.real))

    def _scores(self) -> Scores | None:
        """What the judge of a game says of training examples, samples and held-out examples."""
        judge, samples = judge_of(self.model), self.samples
        if judge is None or samples is None or self.trainer.phases[self.trainer.phase].prepare is not None:
            return None

        def score() -> Scores:
            with batch_statistics(self.model):
                values = [
                    None if x is None else judge(x).reshape(len(x), -1).mean(1).float()
                    for x in (self.references.real, samples, self.references.held)
                ]
            return Scores(*values)  # pyright: ignore[reportArgumentType]  the first two are given

        return self._try(score)

    def _run(self) -> None:
        """Call an encoder and a decoder that nothing else has called, for their units' sake."""
        if type(self.model).features is not Model.features:
            z = self._try(lambda: self.model.features(self.references.real))
            if z is not None and self.model.can("decode"):
                self._try(lambda: self.model.decode(z, seed=0))

    @cached_property
    def stuck_units(self) -> dict[str, float]:
        """The share of units in every activation layer that say the same whatever they see."""
        return self._units.shares()

    @cached_property
    def spread(self) -> float | None:
        """How diverse the samples are: 0 for all alike, 1 for as diverse as real examples."""
        if self._features is None or self.references.real_diversity <= 1:
            return None
        own = diversity(self._features, self.references.bandwidth)
        return (own - 1) / (self.references.real_diversity - 1)

    @cached_property
    def discrepancy(self) -> float | None:
        """The squared maximum mean discrepancy of samples and real examples, 0 to 2."""
        if self._features is None:
            return None
        x, y, h = self._features, self.references.real_features, self.references.bandwidth
        return float(kernel(x, x, h).mean() + kernel(y, y, h).mean() - 2 * kernel(x, y, h).mean())

    @cached_property
    def copies(self) -> float | None:
        """The share of samples that lie much nearer to a training example than held-out examples do."""
        usual, trained_on = self.references.usual_distances, self.references.trained_on
        if self._features is None or usual is None or trained_on is None:
            return None
        nearest = torch.cdist(self._features[:FEWEST], trained_on).amin(1)
        return float((nearest < usual.quantile(0.05) / 2).float().mean())

    @cached_property
    def chains(self) -> Tensor | None:
        """A copy of the persistent chains (n, units), if the model has a buffer of that name."""
        chains = getattr(self.model, "chains", None)
        return chains.detach().clone() if isinstance(chains, Tensor) and chains.dim() == 2 else None

    @cached_property
    def _features(self) -> Tensor | None:
        return None if self.samples is None else self.references.features(self.samples)


def judge_of(model: Model) -> Callable[[Tensor], Tensor] | None:
    """What scores examples as real: a model's own `judge(x) -> (n,)`, else a game's `discriminator` or `critic`.

    Elsewhere a discriminator may judge something else, such as codes; models whose density is not implicit have none.
    """
    if type(model).density != "implicit":
        return None
    judge = getattr(model, "judge", None)
    modules = [getattr(model, name, None) for name in ("discriminator", "critic")]
    return judge or next((module for module in modules if isinstance(module, nn.Module)), None)


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Inside, batch norms use the batch's statistics, as in training, and leave their running ones alone."""
    norms = [m for m in model.modules() if isinstance(m, NORMS) and m.track_running_stats and not m.training]
    for module in norms:
        module.training, module.track_running_stats = True, False
    try:
        yield
    finally:
        for module in norms:
            module.training, module.track_running_stats = False, True


def norm(tensors: list[Tensor]) -> Tensor:
    """The Euclidean norm of all entries, a scalar."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))  # pyright: ignore[reportPrivateImportUsage]


def kernel(x: Tensor, y: Tensor, bandwidth: float) -> Tensor:
    """exp(-|x_i - y_j|^2 / 2 h^2), shape (n, m)."""
    return (torch.cdist(x, y).square() / (-2 * bandwidth**2)).exp()


def diversity(x: Tensor, bandwidth: float) -> float:
    """The effective number of different points, 1 / mean_ij k(x_i, x_j): from 1 (all alike) to n.

    The similarity-sensitive diversity of order 2 of Leinster & Cobbold 2012.
    """
    return 1 / float(kernel(x, x, bandwidth).mean())
