"""What a discriminator says beside a score of the example alone: a judgement of its conditions, or their estimate."""

import torch
from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.nets.adversarial import Discriminator
from nacre.nets.biggan import BigGANDiscriminatorTrunk
from nacre.nets.scale import FromData


class BigGANDiscriminator(nn.Module):
    """Images (n, c, h, w) -> scores (n, 1): BigGAN's trunk and a linear head.

    Args:
        spec: Images.
        channels: Channels of the finest map.
        attention: Whether a map of the trunk attends to itself.
        bias: Whether the head has a bias.
    """

    def __init__(self, spec: Spec, channels: int, attention: bool, bias: bool) -> None:
        super().__init__()
        self.scale = FromData(spec)
        self.trunk = BigGANDiscriminatorTrunk(spec.shape, channels, attention)
        self.features = self.trunk.features
        self.head = nn.Linear(self.features, 1, bias=bias)

    def look(self, x: Tensor) -> Tensor:
        """The features that the head judges by: (n, c, h, w) -> (n, features)."""
        return self.trunk(self.scale(x))

    def forward(self, x: Tensor) -> Tensor:
        """The scores (n, 1)."""
        return self.head(self.look(x))


class Projection(nn.Module):
    """D(x, c) = w . phi(x) + b + <embed(c), phi(x)>: a score of the example, and one of what it was said to be.

    Args:
        judge: phi, which is its `look`, with w and b in its `head`.
        embed: Conditions (n, ...) -> (n, features).

    Reference:
        Miyato, Koyama. cGANs with projection discriminator. 2018. arXiv 1802.05637.
    """

    def __init__(self, judge: Discriminator | BigGANDiscriminator, embed: nn.Module) -> None:
        super().__init__()
        self.judge, self.embed = judge, embed

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """The scores (n, 1)."""
        h = self.judge.look(x)
        return self.judge.head(h) + (self.embed(told) * h).sum(1, keepdim=True)


class Reading(nn.Module):
    """Examples -> (n, 1 + k): the score, then k values that a reader makes of the same features.

    Args:
        judge: Gives the features by its `look` and the score by its `head`.
        reader: Features (n, features) -> (n, k).
    """

    def __init__(self, judge: Discriminator, reader: nn.Module) -> None:
        super().__init__()
        self.judge, self.reader = judge, reader

    def forward(self, x: Tensor) -> Tensor:
        """The score and what was read, (n, 1 + k)."""
        h = self.judge.look(x)
        return torch.cat([self.judge.head(h), self.reader(h)], 1)
