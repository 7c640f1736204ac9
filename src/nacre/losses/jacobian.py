"""The squared Frobenius norm of an encoder's Jacobian, |dh/dx|_F^2 = sum_ij (dh_j / dx_i)^2, for every example."""

from collections.abc import Callable

import torch
from torch import Tensor


def sigmoid_jacobian(h: Tensor, weight: Tensor) -> Tensor:
    """The norm for h = sigmoid(W x + b): sum_j (h_j (1 - h_j))^2 sum_i W_ji^2, shape (n,).

    Args:
        h: The units' outputs, shape (n, d).
        weight: W, shape (d, inputs).

    Reference:
        Rifai et al. Contractive auto-encoders. 2011, equation 7.
    """
    return (h * (1 - h)).square() @ weight.square().sum(1)


def hutchinson_jacobian(encoder: Callable[[Tensor], Tensor], x: Tensor, probes: Tensor) -> Tensor:
    """An estimate of the norm for any encoder: the mean of |v' dh/dx|^2 over probes v, shape (n,), differentiable.

    It is unbiased where E[v v'] = I, as for signs drawn by a fair coin, and exact for the probes sqrt(d) e_1, ...,
    sqrt(d) e_d.

    Args:
        encoder: Maps (n, ...) to (n, d), every example alone.
        x: Shape (n, ...).
        probes: Shape (m, n, d).

    Reference:
        Hutchinson. A stochastic estimator of the trace of the influence matrix. 1990.
    """
    x = x.detach().requires_grad_()
    h = encoder(x)
    norms = []
    for v in probes:
        (gradient,) = torch.autograd.grad((h * v).sum(), x, create_graph=True)
        norms.append(gradient.flatten(1).square().sum(1))
    return torch.stack(norms).mean(0)


def signs(m: int, like: Tensor) -> Tensor:
    """M probes of -1 and 1 by a fair coin: shape (m, *like.shape)."""
    return torch.stack([2 * (torch.rand_like(like) < 0.5).to(like.dtype) - 1 for _ in range(m)])
