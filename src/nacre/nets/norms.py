"""Norms of weights and of batches: spectral normalisation, and batch statistics taken anew."""

from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding)


def spectral(module: nn.Module, but: Collection[nn.Module] = ()) -> None:
    """Divide the weight of every layer inside by its largest singular value, W / sigma(W), by power iteration.

    A forward pass in training mode takes one iteration, in evaluation mode none. Miyato et al. 2018, Algorithm 1.

    Args:
        module: The network.
        but: Layers inside that stay as they are.
    """
    for layer in [m for m in module.modules() if isinstance(m, WEIGHTED) and m not in but]:
        spectral_norm(layer)


@torch.no_grad()
def standing_statistics(
    module: nn.Module, draw: Callable[[int], Tensor | tuple[Tensor, ...]], batches: int = 16, n: int = 128
) -> None:
    """Take the running statistics of all batch norms inside anew, as the plain mean over fresh batches.

    Brock et al. 2019, section 4.

    Args:
        module: A network that is given what `draw` gives.
        draw: Inputs (n, ...) for it, a tuple where it takes several.
        batches: How many are averaged.
        n: Examples in each.
    """
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    modes = [(m, m.training) for m in module.modules()]
    momenta = [norm.momentum for norm in norms]
    module.eval()  # all else stays as it is when samples are drawn: no dropout, no power iteration
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # None asks for the cumulative mean
    for _ in range(batches):
        drawn = draw(n)
        module(*drawn) if isinstance(drawn, tuple) else module(drawn)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for m, training in modes:
        m.training = training
