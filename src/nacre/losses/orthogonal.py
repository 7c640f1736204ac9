"""The penalty that keeps the filters of a layer apart from each other."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


def orthogonal_penalty(module: nn.Module) -> Tensor:
    """The sum over layers of |W W' * (1 - I)|_F^2 with one row of W per output: their norms are free.

    The sum of the squared products of all pairs of different filters, without its factor beta. The layers are linear
    ones and convolutions; a spectral norm is left out, W is the weight that is trained.

    Args:
        module: A network; without such layers the penalty is 0.

    Reference:
        Brock, Donahue, Simonyan. Large scale GAN training for high fidelity natural image synthesis. 2019, equation 3.
        arXiv 1809.11096.
    """
    layers = [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    return torch.stack([overlap(filters(layer)) for layer in layers]).sum() if layers else torch.zeros(())


def filters(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> Tensor:
    """The trained weight of a layer with one row per output, (outputs, values)."""
    # A parametrised weight would be computed anew here, which in training moves the power iteration.
    name = "parametrizations.weight.original" if parametrize.is_parametrized(layer, "weight") else "weight"
    raw = layer.get_parameter(name)
    if isinstance(layer, nn.ConvTranspose2d):
        raw = raw.transpose(0, 1)
    return raw.flatten(1)


def overlap(rows: Tensor) -> Tensor:
    """The sum of the squared products of all ordered pairs of different rows (k, d), at least in float32."""
    with torch.autocast(rows.device.type, enabled=False):
        products = rows @ rows.T
        return (products - products.diagonal().diag()).square().sum()
