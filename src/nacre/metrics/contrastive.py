"""Features of images without labels: a network that recognises an image among others after it was changed a little."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample, normalize

from nacre.data.spec import Spec
from nacre.game import Batch, Turn
from nacre.model import Model, inference
from nacre.nets.mlp import mlp

TEMPERATURE = 0.2
ANGLE, SCALE, SHIFT, SHEAR = 0.35, 0.25, 0.2, 0.3
CONTRAST, BRIGHTNESS, NOISE = 0.4, 0.1, 0.1


class Contrastive(Model):
    """Minimise -log (exp(z_i'z_j / t) / sum_(k != i) exp(z_i'z_k / t)) over pairs i, j of views of one image.

    A view is the image slightly turned, scaled, shifted, sheared, in another contrast and brightness, with noise;
    z = head(trunk(view)) / |head(trunk(view))| and t = 0.2. Nothing is mirrored, since digits and text must not be.

    Args:
        spec: Images.
        trunk: Maps images (n, *shape) to features.

    Shapes:
        embed: (n, *shape) -> (n, features).

    Reference:
        Chen, Kornblith, Norouzi, Hinton. A simple framework for contrastive learning of visual representations. 2020.
    """

    title: ClassVar[str] = "Contrastive network"
    density: ClassVar[str] = "none"
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "schedule": "cosine", "ema": 0.99}

    def __init__(self, spec: Spec, trunk: nn.Module) -> None:
        super().__init__(spec)
        self.trunk = trunk
        with self.evaluating(), torch.no_grad():
            width = trunk(torch.zeros(1, *spec.shape)).numel()
        self.head = mlp([width, width, width // 2])

    def turns(self) -> list[Turn]:
        """One turn: trunk and head learn together."""
        return [Turn((self.trunk, self.head), self.error)]

    def error(self, batch: Batch) -> Tensor:
        """The cross-entropy of finding the other view among 2n - 1, in nats per view."""
        z = normalize(self.head(self.trunk(torch.cat([view(batch.x), view(batch.x)]))), dim=1)  # (2n, width / 2)
        likeness = (z @ z.T / TEMPERATURE).masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), -1e9)
        return cross_entropy(likeness, torch.arange(len(z), device=z.device).roll(len(z) // 2))

    @inference
    def embed(self, x: Tensor) -> Tensor:
        """The features, shape (n, features)."""
        return self.trunk(x)


def view(x: Tensor) -> Tensor:
    """Images changed at random, each on its own; values stay in [0, 1]: (n, c, h, w) -> (n, c, h, w)."""
    n = len(x)

    def uniform(most: float) -> Tensor:
        return (2 * torch.rand(n, device=x.device) - 1) * most

    angle, scale, shear = uniform(ANGLE), 1 + uniform(SCALE), uniform(SHEAR)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = [torch.stack([cos, shear - sin, uniform(SHIFT)], 1), torch.stack([sin, cos, uniform(SHIFT)], 1)]
    grid = affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    x = grid_sample(x, grid, padding_mode="border", align_corners=False)
    x = x * (1 + uniform(CONTRAST)).view(n, 1, 1, 1) + uniform(BRIGHTNESS).view(n, 1, 1, 1)
    return (x + NOISE * torch.randn_like(x)).clamp(0, 1)
