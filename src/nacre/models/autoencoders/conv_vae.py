"""Convolutional VAE: strided layers planned for the image's size, residual blocks behind each of them."""

from typing import ClassVar

from nacre.data.spec import Spec
from nacre.errors import at_least
from nacre.models.autoencoders.vae import VAE
from nacre.nets import likelihood as likelihoods
from nacre.nets import residual
from nacre.nets.sizes import plan


class ConvVAE(VAE):
    r"""Maximise the evidence lower bound as `vae` does, with a convolutional encoder and its mirror as decoder.

    A layer maps a side of n_in to n_out = floor((n_in + 2p - k) / s) + 1 and its transpose back to
    n_in = s (n_out - 1) - 2p + k; kernels are chosen so that both hold for any size. `nacre show conv-vae` prints the
    plan.

    Algorithm: 1 (Auto-Encoding VB), with the networks of Salimans et al. 2015, section 4.3, in today's form.

    Args:
        spec: Images of 2 pixels a side or more.
        latent: Size of z, 1 or more.
        channels: Channels of the finest map, half as large as the image, 1 or more; each further halving doubles them,
            up to four times as many.
        blocks: Residual blocks at every resolution, 0 or more.
        hidden: Units of the dense layer between the coarsest map and z, 1 or more.
        likelihood: Of p(x|z), as in `vae`.
        beta: Weight of the KL; 1 is the bound itself.
        kl_warmup: Share of training over which the weight of the KL rises from 0, in [0, 1).
        free_bits: Nats that every latent variable may tell, on average over a batch, without being charged; 0 or more.
        activation: Of the hidden layers.

    Shapes:
        encode: (n, c, h, w) -> (n, latent), the mean of q(z|x). decode: (n, latent) -> (n, c, h, w).

    Departures:
        Residual blocks of two 3 x 3 convolutions, none at the image's own size, where they cost most and helped least;
        no Markov steps after the encoder's draw; Adam with an average of the weights.

    Example:
        >>> import nacre
        >>> model = nacre.create("conv-vae", nacre.load_data("digits").spec, latent=4, channels=8)
        >>> model.sample(3, seed=0).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Kingma, Welling. Auto-Encoding Variational Bayes. 2014. Salimans, Kingma, Welling. Markov chain Monte Carlo
        and variational inference: bridging the gap. 2015. arXiv 1410.6460. Dumoulin, Visin. A guide to convolution
        arithmetic for deep learning. 2016. arXiv 1603.07285.
    """

    title: ClassVar[str] = "Convolutional VAE"
    paper: ClassVar[str] = "Kingma & Welling 2014; Salimans et al. 2015"

    def __init__(
        self,
        spec: Spec,
        latent: int = 32,
        channels: int = 32,
        blocks: int = 1,
        hidden: int = 256,
        likelihood: likelihoods.Name = "auto",
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        free_bits: float = 0.0,
        activation: str = "gelu",
    ) -> None:
        self.refuse_all_but_images(spec, "vae")
        at_least(1, latent=latent, channels=channels, hidden=hidden)
        at_least(0, blocks=blocks)
        super().__init__(
            spec, latent, (), network="dense", likelihood=likelihood, beta=beta, kl_warmup=kl_warmup,
            free_bits=free_bits, activation=activation,
        )  # fmt: skip
        shape, outputs = spec.shape, self.likelihood.outputs * spec.shape[0]
        self.plan = plan(*shape[1:])
        self.encoder = residual.encoder(shape, self.latents.width, [hidden], channels, activation, blocks)
        self.decoder = residual.decoder(latent, (outputs, *shape[1:]), [hidden], channels, activation, blocks)

    def layers(self) -> list[str]:
        """The sizes of the maps, for `nacre show`."""
        return [str(layer) for layer in self.plan]
