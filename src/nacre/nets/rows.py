"""The two ends of a dense autoencoder: examples as rows of numbers, and what its outputs mean."""

from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.losses.likelihoods import bernoulli_nll, squared_error
from nacre.nets.scale import FromData


class Rows(nn.Module):
    """Examples -> rows: values in [0, 1] as they are, others as (x - center) / scale.

    Args:
        spec: The data.

    Shapes:
        (n, *shape) -> (n, size).
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.bounded, self.shape = spec.bounded, spec.shape
        self.scale = FromData(spec)

    def forward(self, x: Tensor) -> Tensor:
        """The rows."""
        return (x if self.bounded else self.scale(x)).flatten(1)

    def error(self, h: Tensor, rows: Tensor) -> Tensor:
        """How far outputs h are from the rows, shape (n,): cross-entropy in nats in [0, 1], else squared error."""
        return (bernoulli_nll if self.bounded else squared_error)(h, rows)

    def mean(self, h: Tensor) -> Tensor:
        """Outputs as `error` takes them -> examples: sigmoid(h) in [0, 1], else h itself: (n, size) -> (n, *shape)."""
        return self.examples(h.sigmoid() if self.bounded else h)

    def examples(self, rows: Tensor) -> Tensor:
        """Rows -> examples in the data's units, clamped to [0, 1] where they are: (n, size) -> (n, *shape)."""
        x = rows.view(len(rows), *self.shape)
        return x.clamp(0, 1) if self.bounded else x * self.scale.scale + self.scale.center
