"""Attribute-conditioned layered VAE: an image as a foreground that has the attributes, a gate, and a background."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import at_least
from nacre.model import inference
from nacre.models.autoencoders.cvae import CVAE, Told
from nacre.nets import coder
from nacre.nets.conditions import Attributes, Labels

EDGE = 1e-4


class AttributeVAE(CVAE):
    r"""Maximise E[log p(x|zF, zB, c)] - KL(q(zF, zB|x, c) || N(0, I)) with the mean image g F + (1 - g) B.

    The foreground F and its gate g in (0, 1) come from zF and the conditions c, the background B from zB alone, so that
    what the attributes say is said of the foreground.

    Algorithm: section 3.2, the layered generator (disCVAE).

    Args:
        spec: Images with classes or attributes.
        latent: Size of zF, 1 or more.
        background: Size of zB, 1 or more.
        hidden: Units of the dense hidden layers, from the data inwards; unused by conv.
        channels: Channels of the finest convolutional map; unused by dense networks.
        network: Dense, convolutional, with the residual blocks of `conv-vae`, or by the data's shape.
        likelihood: Of p(x|z, c): bernoulli, or gaussian with one learned variance.
        hiding: Share of the conditions that are hidden in training, in [0, 1).
        kl_warmup: Share of training over which the weight of the KL rises from 0, in [0, 1).
        activation: Of the hidden layers.

    Shapes:
        encode: (n, *shape) -> (n, latent + background), the means of zF and zB. decode: back. sample_layers: n ->
        (n, 3, *shape), foreground, gate and background.

    Departures:
        One gate that mixes the two images, without the paper's masks in training; both latents are inferred from the
        whole image at once; no attribute-free background network of its own encoder.

    Example:
        >>> import nacre
        >>> model = nacre.create("attribute-vae", nacre.load_data("digits").spec, latent=4, background=2)
        >>> model.sample(3, seed=0, labels=[7, 7, 1]).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Yan, Yang, Sohn, Lee. Attribute2Image: conditional image generation from visual attributes. 2016.
        arXiv 1512.00570.
    """

    title: ClassVar[str] = "Attribute-conditioned layered VAE"
    paper: ClassVar[str] = "Yan et al. 2016, section 3.2"

    def __init__(
        self,
        spec: Spec,
        latent: int = 16,
        background: int = 8,
        hidden: tuple[int, ...] = (400,),
        channels: int = 32,
        network: coder.Network = "auto",
        likelihood: Literal["auto", "bernoulli", "gaussian"] = "auto",
        hiding: float = 0.1,
        kl_warmup: float = 0.0,
        activation: str = "relu",
    ) -> None:
        at_least(1, latent=latent, background=background)
        self.refuse_all_but_images(spec, "cvae")
        super().__init__(
            spec, latent + background, hidden, channels, network, likelihood, hiding, 1.0, kl_warmup, activation
        )
        told = self.conditions.width
        self.latents = Told(latent + background, told)
        nets = hidden, channels, network, activation
        self.decoder = Layered(
            spec,
            latent,
            coder.decoder(spec, latent + told, *nets, outputs=2),
            coder.decoder(spec, background, *nets),
            background,
            scale=1.0 if likelihood == "bernoulli" or (likelihood == "auto" and spec.bounded) else 2.0,
        )

    @inference
    def sample_layers(self, n: int, labels: Labels = None, attributes: Attributes = None) -> Tensor:
        """Foreground, gate and background of n samples, (n, 3, *shape); `sample` with the same seed mixes them.

        Args:
            n: How many.
            labels: As for `sample`.
            attributes: As for `sample`.
        """
        return torch.stack(self.decoder.layers(self.asked(n, labels, attributes)), 1)


class Layered(nn.Module):
    """(zF, zB, c) -> h with squash(h) = g F + (1 - g) B, where squash is what the likelihood applies.

    Args:
        spec: Images.
        latent: Size of zF.
        foreground: (zF, c) -> F and g, before they are squashed into (0, 1).
        background: zB -> B likewise.
        behind: Size of zB.
        scale: What the squashing multiplies h by: sigmoid(scale h) is the mean image.
    """

    def __init__(
        self, spec: Spec, latent: int, foreground: nn.Module, background: nn.Module, behind: int, scale: float
    ) -> None:
        super().__init__()
        self.shape, self.latent, self.behind, self.scale = spec.shape, latent, behind, scale
        self.foreground, self.background = foreground, background

    def layers(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """F, g and B in (0, 1), each (n, *shape)."""
        front, back, told = z.split([self.latent, self.behind, z.shape[1] - self.latent - self.behind], 1)
        values, gate = self.foreground(torch.cat([front, told], 1)).flatten(1).chunk(2, 1)
        return tuple(h.reshape(len(z), *self.shape).sigmoid() for h in (values, gate, self.background(back)))

    def forward(self, z: Tensor) -> Tensor:
        """H, shape (n, *shape)."""
        values, gate, behind = (layer.float() for layer in self.layers(z))  # in bf16, 1 - EDGE is 1
        # The edges keep the logarithm finite where all layers are certain.
        mixed = (gate * values + (1 - gate) * behind) * (1 - 2 * EDGE) + EDGE
        return torch.logit(mixed) / self.scale
