"""Conditional GAN: generator and discriminator are told labels and attributes, which samples can be asked to have."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nacre.data.dataset import Data
from nacre.game import Batch
from nacre.model import inference
from nacre.models.gans.gan import GAN
from nacre.nets import adversarial
from nacre.nets.conditions import Attributes, Conditions, Labels


class CGAN(GAN):
    """The game of `gan` between G(z, c) and D(x, c) for examples x with conditions c.

    min_G max_D E[log D(x, c)] + E[log(1 - D(G(z, c), c))], where c are the conditions of the same training examples in
    both terms. Conditions are labels, and attributes that are numbers; one-hot labels and standardised attributes join
    z, and x as further maps of an image or as further values of a row.

    Algorithm: equation 2, played as in `gan`.

    Args:
        latent: Size of z alone.

    Shapes:
        sample: n -> (n, *shape). decode: (n, latent) -> (n, *shape). Both take `labels` and `attributes`.

    Departures:
        The conditions enter at the first layer instead of a hidden one; those of `gan`.

    Example:
        >>> import nacre
        >>> model = nacre.create("cgan", nacre.load_data("digits").spec, hidden=(32,))
        >>> model.sample(3, seed=0, labels=[7, 7, 1]).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Mirza, Osindero. Conditional generative adversarial nets. 2014. arXiv 1411.1784.
    """

    title: ClassVar[str] = "Conditional GAN"
    paper: ClassVar[str] = "Mirza and Osindero 2014, equation 2"

    conditions: Conditions

    # The networks

    def make_generator(self) -> nn.Module:
        """G: (n, latent + told) -> (n, *shape)."""
        self.conditions = Conditions(self.spec, hidden=0.0)  # here, as the sizes of both networks depend on it
        size, norm = self.latent + self.conditions.width, self.batch_norm != "none"
        return adversarial.generator(self.spec, size, self.network, self.hidden, self.channels, norm, self.upsampling)

    def make_discriminator(self) -> nn.Module:
        """D: (n, *shape), (n, told) -> (n // pack, 1)."""
        return self.scorer(self.conditions.width)

    # The game

    def begin(self, data: Data) -> None:
        """Take the attributes' units and remember conditions to draw from."""
        self.conditions.begin(data)

    def told(self, batch: Batch) -> Tensor:
        """The conditions of a batch, (n, told)."""
        return self.conditions.of_batch(batch)

    def made(self, z: Tensor, told: Tensor | None) -> Tensor:
        """G(z, c)."""
        return self.generator(z if told is None else torch.cat([z, told], 1))

    def score(self, x: Tensor, told: Tensor | None) -> Tensor:
        """D(x, c)."""
        return self.discriminator(self.seen(x), told)

    def inputs(self, n: int) -> Tensor | tuple[Tensor, ...]:
        """Draws of z with the conditions of random training examples."""
        return torch.cat([self.noise(n), self.asked(n)], 1)

    # What a user calls

    def asked(self, n: int, labels: Labels = None, attributes: Attributes = None, alike: bool = False) -> Tensor:
        """The conditions asked for; what is not said is that of random training examples, or of one for all."""
        return self.conditions(n, *self.conditions.completed(n, labels, attributes, alike))

    @inference
    def sample(self, n: int, labels: Labels = None, attributes: Attributes = None) -> Tensor:
        """G(z, c) for n draws of z, shape (n, *shape).

        Args:
            n: How many.
            labels: A class by number or name, or one for each example.
            attributes: A value or one for each example, by name. What is not said is taken from random training
                examples.

        Raises:
            NacreError: There is no such class or attribute.
        """
        return self.made(self.noise(n), self.asked(n, labels, attributes))

    @inference
    def decode(self, z: Tensor, labels: Labels = None, attributes: Attributes = None) -> Tensor:
        """G(z, c), shape (n, *shape); what is not said of c is that of one training example, always the same."""
        return self.made(z, self.asked(len(z), labels, attributes, alike=True))
