"""Contractive autoencoder: its code hardly moves when the example does."""

from typing import ClassVar, Literal, cast

from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least
from nacre.game import Batch, Turn
from nacre.losses.jacobian import hutchinson_jacobian, sigmoid_jacobian, signs
from nacre.model import Model, inference
from nacre.nets.rows import Rows
from nacre.nets.tied import Tied, layers


class ContractiveAE(Model):
    """Minimise the error of decoder(encoder(x)) plus the squared norm of the encoder's derivative.

    E[error(decoder(h), x) + penalty |dh/dx|_F^2], h = encoder(x). The error is the cross-entropy for data in [0, 1],
    else the squared error. Where the code may still move, along the data, the error holds it open against the penalty.

    Algorithm: equation 6 of Rifai et al. 2011, with the norm of its equation 7.

    Args:
        spec: The data.
        latent: Size of the code, 1 or more; it may exceed that of the data.
        hidden: Units of further layers between data and code, from the data inwards; for the estimated norm only.
        penalty: Weight of the norm (lambda), 0 or more.
        norm: exact, the closed form for one layer of sigmoid units, or estimated by random probes for any encoder.
        probes: Probes per example of the estimated norm, 1 or more.
        activation: Of every layer, the code's too, but the decoder's last.

    Shapes:
        encode: (n, *shape) -> (n, latent). decode: (n, latent) -> (n, *shape).

    Departures:
        Adam and an average of the weights instead of plain gradient descent. Data without bounds are scaled to unit
        variance first. A deep encoder is penalised as a whole, instead of being stacked layer by layer.

    Example:
        >>> import nacre
        >>> model = nacre.create("contractive-ae", nacre.load_data("digits").spec, latent=100, penalty=1.0)
        >>> model.encode(nacre.load_data("digits:test").examples(2).x).shape
        torch.Size([2, 100])

    Reference:
        Rifai, Vincent, Muller, Glorot, Bengio. Contractive auto-encoders: explicit invariance during feature
        extraction. 2011.
    """

    title: ClassVar[str] = "Contractive autoencoder"
    paper: ClassVar[str] = "Rifai et al. 2011"
    density: ClassVar[str] = "none"
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "schedule": "cosine"}

    def __init__(
        self,
        spec: Spec,
        latent: int = 1000,
        hidden: tuple[int, ...] = (),
        penalty: float = 0.1,
        norm: Literal["exact", "estimated"] = "exact",
        probes: int = 1,
        activation: str = "sigmoid",
    ) -> None:
        super().__init__(spec)
        at_least(1, latent=latent, hidden=hidden, probes=probes)
        at_least(0, penalty=penalty)
        if norm == "exact" and (hidden or activation != "sigmoid"):
            raise NacreError("the exact norm is for one layer of sigmoid units; use --norm estimated.")
        self.latent, self.penalty, self.norm, self.probes = latent, penalty, norm, probes
        self.rows = Rows(spec)
        self.encoder = layers([spec.size, *hidden, latent], activation)
        self.decoder = Tied(self.encoder, activation)

    def turns(self) -> list[Turn]:
        """One turn: encoder and decoder together."""
        return [Turn((self.encoder, self.decoder), self.contraction, compile=self.norm == "exact")]

    def contraction(self, batch: Batch) -> dict[str, Tensor]:
        """Error of the reconstruction and the penalty, per example."""
        x = self.rows(batch.x)
        h = self.encoder(x)
        return {
            "reconstruction": self.rows.error(self.decoder(h), x).mean(),
            "penalty": self.penalty * self.jacobian(x, h).mean(),
        }

    def jacobian(self, x: Tensor, h: Tensor) -> Tensor:
        """The squared norm of dh/dx at rows x with codes h, exact or estimated: (n, size), (n, latent) -> (n,)."""
        if self.norm == "exact":
            return sigmoid_jacobian(h, cast(nn.Linear, cast(nn.Sequential, self.encoder[0])[0]).weight)
        return hutchinson_jacobian(self.encoder, x, signs(self.probes, h))

    def features(self, x: Tensor) -> Tensor:
        """The code, differentiable: (n, *shape) -> (n, latent)."""
        return self.encoder(self.rows(x))

    @inference
    def encode(self, x: Tensor) -> Tensor:
        """The code, shape (n, latent)."""
        return self.features(x)

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """The example of a code, shape (n, *shape)."""
        return self.rows.mean(self.decoder(z))
