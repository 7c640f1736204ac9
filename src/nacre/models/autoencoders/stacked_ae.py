"""Stacked denoising autoencoder: deep, built layer by layer, then tuned as a whole."""

from functools import partial
from typing import ClassVar

from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least, share
from nacre.game import Batch, Phase, Turn
from nacre.losses.likelihoods import squared_error
from nacre.model import Model, inference
from nacre.nets.corruption import Corruption, Noise
from nacre.nets.rows import Rows
from nacre.nets.tied import layers


class StackedAE(Model):
    """Train each layer to restore what the layer below it says, then all of them to restore the data.

    Layer i: minimise the error between a = encoder_{i-1}(...(x)) and decoder_i(encoder_i(noise(a))), everything below
    frozen. Then: between x and the whole stack's reconstruction of noise(x). The error is the cross-entropy for data
    in [0, 1], else the squared error.

    Algorithm: the greedy procedure of Vincent et al. 2010, section 3.4 and figure 3.

    Args:
        spec: The data.
        hidden: Units of the layers, from the data inwards; the last one is the code.
        noise: Values set to 0, normal noise added, or values set to their extremes; only in training.
        corruption: Share of the values that are damaged, in [0, 1), or the standard deviation of the normal noise.
        activation: Of every layer but the last of the decoder.
        fine_tuning: Share of the steps in which all layers train together, in [0, 1).

    Shapes:
        encode: (n, *shape) -> (n, hidden[-1]). decode: back.

    Departures:
        The layers' weights are not tied. ReLU instead of sigmoid units. A masked input is not rescaled.

    Example:
        >>> import nacre
        >>> model = nacre.create("stacked-ae", nacre.load_data("digits").spec, hidden=(48, 16))
        >>> [phase.name for phase in model.phases()]
        ['layer 1', 'layer 2', 'all layers']

    Reference:
        Vincent et al. Stacked denoising autoencoders. 2010. Bengio et al. Greedy layer-wise training of deep
        networks. 2007.
    """

    title: ClassVar[str] = "Stacked denoising autoencoder"
    paper: ClassVar[str] = "Vincent et al. 2010, section 3.4"
    density: ClassVar[str] = "none"
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "schedule": "cosine"}

    def __init__(
        self,
        spec: Spec,
        hidden: tuple[int, ...] = (500, 250, 64),
        noise: Noise = "mask",
        corruption: float = 0.2,
        activation: str = "relu",
        fine_tuning: float = 0.5,
    ) -> None:
        super().__init__(spec)
        at_least(1, hidden=hidden)
        if not hidden:
            raise NacreError("hidden is empty; give one layer at least, such as --hidden 500.")
        share(fine_tuning=fine_tuning)
        self.latent, self.corrupt, self.fine_tuning = hidden[-1], Corruption(noise, corruption), fine_tuning
        self.rows = Rows(spec)
        self.encoder = layers([spec.size, *hidden], activation)
        back = layers(hidden[::-1], activation)
        self.decoder = nn.Sequential(*back, nn.Linear(hidden[0], spec.size))

    def phases(self) -> list[Phase]:
        """A phase per layer, then one for all."""
        depth = len(self.encoder)
        share = (1 - self.fine_tuning) / depth
        greedy = [Phase(f"layer {i + 1}", partial(self.layer_turns, i), share) for i in range(depth)]
        return [*greedy, *([Phase("all layers", self.turns, self.fine_tuning)] if self.fine_tuning else [])]

    def layer_turns(self, i: int) -> list[Turn]:
        """One turn: the i-th encoder layer and the decoder layer that undoes it."""
        return [Turn((self.encoder[i], self.decoder[-1 - i]), partial(self.layer_loss, i))]

    def turns(self) -> list[Turn]:
        """One turn: the whole stack."""
        return [Turn((self.encoder, self.decoder), self.reconstruction)]

    def layer_loss(self, i: int, batch: Batch) -> Tensor:
        """Error of layer i on the output of the layers below it."""
        below = self.encoder[:i](self.rows(batch.x))
        restored = self.decoder[-1 - i](self.encoder[i](self.corrupt(below, self.spec.bounded and i == 0)))
        return (self.rows.error if i == 0 else squared_error)(restored, below).mean()

    def reconstruction(self, batch: Batch) -> Tensor:
        """Error of the whole stack on the data."""
        x = self.rows(batch.x)
        return self.rows.error(self.decoder(self.encoder(self.corrupt(x, self.spec.bounded))), x).mean()

    def features(self, x: Tensor) -> Tensor:
        """The code, differentiable: (n, *shape) -> (n, hidden[-1])."""
        return self.encoder(self.rows(x))

    @inference
    def encode(self, x: Tensor) -> Tensor:
        """The code, shape (n, hidden[-1])."""
        return self.features(x)

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """The example of a code, shape (n, *shape)."""
        return self.rows.mean(self.decoder(z))
