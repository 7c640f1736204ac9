"""Conditional VAE: encoder and decoder are told labels and attributes, which examples can then be asked to have."""

from typing import ClassVar

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError, share
from nacre.game import Batch
from nacre.model import Model, inference
from nacre.models.autoencoders.vae import VAE
from nacre.nets import coder
from nacre.nets import likelihood as likelihoods
from nacre.nets.conditions import Attributes, Conditions, Labels
from nacre.nets.latents import Normal
from nacre.nets.scale import unrounded


class CVAE(VAE):
    r"""Maximise E_{q(z|x,c)}[log p(x|z, c)] - KL(q(z|x, c) || p(z)) for examples x with conditions c.

    Conditions are labels, and attributes that are numbers, several at once. In training each is hidden at random, so
    that the model can also be asked with some of them, or none.

    Algorithm: equation 4 with the prior of Kingma et al. 2014, p(z|c) = N(0, I).

    Args:
        spec: The data, with classes or attributes.
        latent: Size of z, 1 or more.
        hidden: Units of the dense hidden layers, from the data inwards; unused by conv.
        channels: Channels of the finest convolutional map; unused by dense networks.
        network: Dense, convolutional, with the residual blocks of `conv-vae`, or by the data's shape.
        likelihood: Of p(x|z, c), as in `vae`.
        hiding: Share of the conditions that are hidden in training, in [0, 1).
        beta: Weight of the KL; 1 is the bound itself.
        kl_warmup: Share of training over which the weight of the KL rises from 0, in [0, 1).
        activation: Of the hidden layers.
        emphasis: Factor of the conditions where they enter the networks, positive.

    Shapes:
        encode: (n, *shape) -> (n, latent), the mean of q(z|x, c). decode: (n, latent) -> (n, *shape). Both, reconstruct
        and redraw take `labels` and `attributes`; without them the conditions are unknown.

    Departures:
        The prior of z does not depend on c, so that z holds what c does not say. Hidden conditions are from
        classifier-free guidance (Ho & Salimans 2021). The conditions are multiplied by `emphasis`: from a one-hot
        vector of ones the networks learn too slowly, z has told the decoder the label before, and samples then
        contradict theirs.

    Example:
        >>> import nacre
        >>> model = nacre.create("cvae", nacre.load_data("digits").spec, latent=4)
        >>> model.sample(3, seed=0, labels=[7, 7, 1]).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Sohn, Lee, Yan. Learning structured output representation using deep conditional generative models. 2015.
        Kingma, Rezende, Mohamed, Welling. Semi-supervised learning with deep generative models. 2014.
    """

    title: ClassVar[str] = "Conditional VAE"
    paper: ClassVar[str] = "Sohn et al. 2015, equation 4"

    def __init__(
        self,
        spec: Spec,
        latent: int = 20,
        hidden: tuple[int, ...] = (400,),
        channels: int = 32,
        network: coder.Network = "auto",
        likelihood: likelihoods.Name = "auto",
        hiding: float = 0.1,
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        activation: str = "relu",
        emphasis: float = 10.0,
    ) -> None:
        super().__init__(
            spec, latent, hidden, channels, network, likelihood, beta=beta, kl_warmup=kl_warmup, activation=activation
        )
        share(hiding=hiding)
        if emphasis <= 0:
            raise NacreError(f"emphasis is {emphasis}; it must be positive.")
        self.emphasis = emphasis
        self.conditions = self.told(spec, hiding)
        told = self.conditions.width
        self.latents = Told(latent, told)
        self.latent = latent
        self.encoder = coder.encoder(told_spec(spec, told, network), 2 * latent, hidden, channels, network, activation)
        self.decoder = coder.decoder(
            spec, latent + told, hidden, channels, network, activation, self.likelihood.outputs
        )
        self.maps = coder.is_conv(spec, network)

    def told(self, spec: Spec, hiding: float) -> Conditions:
        """What the model is told of an example."""
        return Conditions(spec, hiding, emphasis=self.emphasis)

    def begin(self, data: Data) -> None:
        """Take the attributes' units and remember conditions to draw from."""
        self.conditions.begin(data)

    def posterior_of(self, batch: Batch) -> Tensor:
        """What the encoder says of a training batch, some of whose conditions are hidden, and these."""
        return self.outputs(batch.x, self.conditions.of_batch(batch))

    def outputs(self, x: Tensor, c: Tensor) -> Tensor:
        """What the encoder says of q(z|x, c), and c beside it: (n, *shape), (n, told) -> (n, 2 latent + told)."""
        values = self.from_data(x)
        if self.maps:
            maps = c[:, :, None, None].expand(-1, -1, *values.shape[2:])
            return torch.cat([unrounded(self.encoder(torch.cat([values, maps], 1))), c], 1)
        return torch.cat([unrounded(self.encoder(torch.cat([values.flatten(1), c], 1))), c], 1)

    def posterior(self, x: Tensor, labels: Labels = None, attributes: Attributes = None) -> Tensor:
        """What the encoder says of q(z|x, c) and c: (n, *shape) -> (n, 2 latent + told)."""
        return self.outputs(x, self.conditions(len(x), *self.conditions.asked(len(x), labels, attributes)))

    def features(self, x: Tensor, labels: Labels = None, attributes: Attributes = None) -> Tensor:
        """The mean of q(z|x, c), differentiable: (n, *shape) -> (n, latent)."""
        return self.latents.code(self.posterior(x, labels, attributes))

    def noise(self, n: int) -> Tensor:
        """N draws from the prior N(0, I), shape (n, latent)."""
        return Model.noise(self, n)

    @inference
    def sample(self, n: int, labels: Labels = None, attributes: Attributes = None) -> Tensor:
        """N draws of p(x|z, c) with z from the prior, of images the means: shape (n, *shape).

        Args:
            n: How many.
            labels: A class by number or name, or one for each example.
            attributes: A value or one for each example, by name. Without labels those of random training examples are
                taken, and without any of the two their attributes too; attributes alone may stay unknown.

        Raises:
            NacreError: There is no such class or attribute.
        """
        return self.likelihood.sample(self.decoder(self.asked(n, labels, attributes)))

    def asked(self, n: int, labels: Labels, attributes: Attributes) -> Tensor:
        """N draws of z with the conditions asked for, or those of random training examples: what the decoder takes."""
        y, a = self.conditions.asked(n, labels, attributes)
        if labels is None:
            drawn_y, drawn_a = self.conditions.drawn(n)
            y, a = drawn_y, drawn_a if attributes is None else a
        return torch.cat([self.noise(n), self.conditions(n, y, a)], 1)

    @inference
    def encode(self, x: Tensor, labels: Labels = None, attributes: Attributes = None) -> Tensor:
        """The mean of q(z|x, c), shape (n, latent)."""
        return self.features(x, labels, attributes)

    @inference
    def decode(self, z: Tensor, labels: Labels = None, attributes: Attributes = None) -> Tensor:
        """The mean of p(x|z, c), shape (n, *shape)."""
        c = self.conditions(len(z), *self.conditions.asked(len(z), labels, attributes))
        return self.likelihood.mean(self.decoder(torch.cat([z, c], 1)))

    @inference
    def redraw(self, x: Tensor, labels: Labels = None, attributes: Attributes = None) -> Tensor:
        """A draw of p(x'|z, c), of images the mean, for one draw of z ~ q(z|x, c): shape (n, *shape)."""
        h = self.posterior(x, labels, attributes)
        return self.likelihood.sample(self.decoder(self.latents.draw_exactly(h)))


class Told(Normal):
    """Normal latents whose parameters h carry the conditions behind them, and whose draws do too, for the decoder.

    Args:
        units: Latent variables, 1 or more.
        told: Values of the conditions.
    """

    def __init__(self, units: int, told: int) -> None:
        super().__init__(units)
        self.width, self.size = 2 * units + told, units + told

    def draw(self, h: Tensor, progress: Tensor) -> Tensor:
        """Mean + sd times noise, then the conditions."""
        return torch.cat([super().draw(self.own(h), progress), h[:, 2 * self.units :]], 1)

    def own(self, h: Tensor) -> Tensor:
        """Mean and log-variance without the conditions."""
        return h[:, : 2 * self.units]

    def kl(self, h: Tensor) -> Tensor:
        """That of the latents alone."""
        return super().kl(self.own(h))

    def log_ratio(self, z: Tensor, h: Tensor) -> Tensor:
        """That of the latents alone."""
        return super().log_ratio(z[:, : self.units], self.own(h))

    def code(self, h: Tensor) -> Tensor:
        """The mean."""
        return super().code(self.own(h))


def told_spec(spec: Spec, told: int, network: coder.Network) -> Spec:
    """The shape of what the encoder sees: conditions as further values of a vector, or as maps of an image."""
    if coder.is_conv(spec, network):
        return Spec.image(spec.shape[0] + told, *spec.shape[1:])
    return Spec((spec.size + told,))
