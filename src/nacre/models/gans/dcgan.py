"""Deep convolutional GAN: the architecture rules under which convolutional GANs train stably."""

from typing import Any, ClassVar

from nacre.models.gans.gan import GAN


class DCGAN(GAN):
    """The game of `gan` between convolutional networks, by five rules.

    Strided convolutions instead of pooling; batch norm in both networks, except in the generator's output and the
    discriminator's input layer; no dense hidden layers; ReLU in the generator with tanh at its output; leaky ReLU
    (slope 0.2) in the discriminator.

    Args:
        spec: Images of any size and any number of channels.
        channels: Channels of the finest map; doubled at every halving, up to eightfold.
        upsampling: transposed convolutions of kernel 4 and stride 2, or resize (nearest, then a 3 x 3 convolution).

    Shapes:
        sample: (n, c, h, w).

    Departures:
        Kernel 4 instead of 5, a multiple of the stride, which builds no checkerboard in. Gaussian instead of uniform
        noise. A map of side n is halved to ceil(n / 2) until it is about 4, so that any image size works. Where a
        batch is accumulated in parts or shared by processes, batch norm sees the part.

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
    defaults: ClassVar[dict[str, object]] = {"lr": 2e-4, "betas": (0.5, 0.999), "batch_size": 64}
    presets: ClassVar[dict[str, Any]] = {
        "latent": 100, "network": "conv", "batch_norm": "both", "initial": "normal",
    }  # fmt: skip
