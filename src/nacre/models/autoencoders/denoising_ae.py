"""Denoising autoencoder: it sees a damaged example and gives back the whole one."""

from typing import ClassVar

from torch import Tensor

from nacre.data.spec import Spec
from nacre.errors import at_least
from nacre.game import Batch, Turn
from nacre.model import Model, inference
from nacre.nets.corruption import Corruption, Noise
from nacre.nets.mlp import mlp
from nacre.nets.rows import Rows
from nacre.nets.tied import Tied, layers


class DenoisingAE(Model):
    """Minimise the error of decoder(encoder(noise(x))) against the clean x.

    The error is the cross-entropy for data in [0, 1], else the squared error. To undo the noise the code has to know
    which values go together, so that it may be wider than the data without learning to copy.

    Algorithm: section 2 of Vincent et al. 2008; noises of section 3.3 of Vincent et al. 2010.

    Args:
        spec: The data.
        latent: Size of the code, 1 or more; it may exceed that of the data.
        hidden: Units of further layers between data and code, from the data inwards.
        noise: Values set to 0, normal noise added, or values set to their extremes; only in training.
        corruption: Share of the values that are damaged, in [0, 1), or the standard deviation of the normal noise.
        tied: Whether the decoder uses the encoder's weights, transposed.
        activation: Of every layer, the code's too, but the decoder's last.

    Shapes:
        encode: (n, *shape) -> (n, latent). decode: (n, latent) -> (n, *shape).

    Departures:
        Adam and an average of the weights instead of plain gradient descent. Data without bounds are scaled to unit
        variance first, and corrupted there.

    Example:
        >>> import nacre
        >>> model = nacre.create("denoising-ae", nacre.load_data("digits").spec, latent=100, noise="salt-and-pepper")
        >>> model.reconstruct(nacre.load_data("digits:test").examples(2).x).shape
        torch.Size([2, 1, 8, 8])

    Reference:
        Vincent et al. Extracting and composing robust features with denoising autoencoders. 2008. Vincent et al.
        Stacked denoising autoencoders. 2010.
    """

    title: ClassVar[str] = "Denoising autoencoder"
    paper: ClassVar[str] = "Vincent et al. 2008"
    density: ClassVar[str] = "none"
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "schedule": "cosine"}

    def __init__(
        self,
        spec: Spec,
        latent: int = 1000,
        hidden: tuple[int, ...] = (),
        noise: Noise = "mask",
        corruption: float = 0.3,
        tied: bool = True,
        activation: str = "sigmoid",
    ) -> None:
        super().__init__(spec)
        at_least(1, latent=latent, hidden=hidden)
        self.latent, self.corrupt = latent, Corruption(noise, corruption)
        sizes = [spec.size, *hidden, latent]
        self.rows = Rows(spec)
        self.encoder = layers(sizes, activation)
        self.decoder = Tied(self.encoder, activation) if tied else mlp(sizes[::-1], activation)

    def turns(self) -> list[Turn]:
        """One turn: encoder and decoder together."""
        return [Turn((self.encoder, self.decoder), self.restoration)]

    def restoration(self, batch: Batch) -> Tensor:
        """Error of what is restored from the damaged examples, per example."""
        x = self.rows(batch.x)
        return self.rows.error(self.decoder(self.encoder(self.corrupt(x, self.spec.bounded))), x).mean()

    def features(self, x: Tensor) -> Tensor:
        """The code of the undamaged example, differentiable: (n, *shape) -> (n, latent)."""
        return self.encoder(self.rows(x))

    @inference
    def encode(self, x: Tensor) -> Tensor:
        """The code of the undamaged example, shape (n, latent)."""
        return self.features(x)

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """The example of a code, shape (n, *shape)."""
        return self.rows.mean(self.decoder(z))
