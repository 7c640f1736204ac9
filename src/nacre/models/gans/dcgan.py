"""Deep convolutional GAN: the architecture rules under which convolutional GANs train stably."""

from typing import ClassVar, Literal

from torch import nn

from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least
from nacre.models.gans.gan import GAN
from nacre.nets.dcgan import Upsampling, conv_decoder, conv_encoder, initialise
from nacre.nets.scale import FromData, ToData


class DCGAN(GAN):
    """The game of `gan` between convolutional networks, by five rules.

    Strided convolutions instead of pooling; batch norm in both networks, except in the generator's output and the
    discriminator's input layer; no dense hidden layers; ReLU in the generator with tanh at its output; leaky ReLU
    (slope 0.2) in the discriminator.

    Args:
        spec: Images of any size and any number of channels.
        latent: Size of z ~ N(0, I), 1 or more.
        channels: Channels of the finest map; doubled at every halving, up to eightfold.
        cost: The generator's cost.
        k: Discriminator steps per generator step, 1 or more.
        upsampling: transposed convolutions of kernel 4 and stride 2, or resize (nearest, then a 3 x 3 convolution).

    Shapes:
        sample: (n, c, h, w).

    Departures:
        Kernel 4 instead of 5, a multiple of the stride, which builds no checkerboard in. Gaussian instead of uniform
        noise. A map of side n is halved to ceil(n / 2) until it is about 4, so that any image size works.

    Example:
        >>> import nacre
        >>> from nacre.data.spec import Spec
        >>> nacre.create("dcgan", Spec.image(3, 20, 28), channels=8).sample(2, seed=0).shape
        torch.Size([2, 3, 20, 28])

    Reference:
        Radford, Metz, Chintala. Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
        Networks. 2016. arXiv 1511.06434.
    """

    title: ClassVar[str] = "Deep convolutional GAN"
    paper: ClassVar[str] = "Radford et al. 2016, section 3"
    known_failures: ClassVar[dict[str, str]] = {
        "accumulation": "batch norm sees the micro-batch, not the batch",
        "two processes": "batch norm sees one process's share of the batch",
    }
    defaults: ClassVar[dict[str, object]] = {"lr": 2e-4, "betas": (0.5, 0.999), "batch_size": 64}

    def __init__(
        self,
        spec: Spec,
        latent: int = 100,
        channels: int = 64,
        cost: Literal["minimax", "non-saturating", "maximum-likelihood"] = "non-saturating",
        k: int = 1,
        upsampling: Upsampling = "transposed",
    ) -> None:
        if spec.kind != "image":
            raise NacreError(f"dcgan needs images, these data are {spec.kind}s; use gan or wgan-gp.")
        at_least(1, channels=channels)
        super().__init__(spec, latent, (), cost, k)
        self.generator = nn.Sequential(
            conv_decoder(latent, spec.shape, channels, "relu", norm=True, upsampling=upsampling), ToData(spec)
        ).apply(initialise)
        self.discriminator = nn.Sequential(
            FromData(spec), conv_encoder(spec.shape, 1, channels, "leaky-relu", norm=True)
        ).apply(initialise)
