"""Penalties on the critic's input gradient; the norm is over what is judged together, at least in float32."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Critic = Callable[[Tensor], Tensor]


def input_gradient(critic: Critic, x: Tensor) -> Tensor:
    """The gradient of the critic's score by its input, one row per example, shape (n, d), itself differentiable."""
    x = x.detach().requires_grad_()
    return gradients(critic(x), [x])[0]


def gradients(scores: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The gradients of the sum of scores by several inputs, one row per example, themselves differentiable.

    Args:
        scores: What a critic says of the inputs, so that no second pass through it is needed.
        inputs: Leaves of the graph (n, ...).
    """
    found = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
    return [g.to(torch.promote_types(g.dtype, torch.float32)).flatten(1) for g in found]


def packs(rows: Tensor, pack: int) -> Tensor:
    """Rows of examples that are judged together, side by side: (n, d) -> (n // pack, pack * d)."""
    n = len(rows) // pack
    return rows[: n * pack].reshape(n, -1)


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, one_sided: bool = False, pack: int = 1) -> Tensor:
    """E[(|grad f(x')| - 1)^2] at x' = u real + (1 - u) fake with u ~ U(0, 1) for what is judged together.

    The norm is over all values of what is judged together: an example, or a pack of them. Gulrajani et al. 2017,
    Algorithm 1, lines 5 to 7, without its factor.

    Args:
        critic: f, which must treat every example alone (no batch norm).
        real: Real examples, shape (n, ...).
        fake: As many generated ones.
        one_sided: Charge only what exceeds 1: E[max(0, |grad f(x')| - 1)^2] (Petzka et al. 2018).
        pack: Examples, one after the other, that the critic judges together, 1 or more.
    """
    u = torch.rand(-(-len(real) // pack), *[1] * (real.dim() - 1), dtype=real.dtype, device=real.device)
    u = u.repeat_interleave(pack, 0)[: len(real)] if pack > 1 else u
    squares = packs(input_gradient(critic, torch.lerp(fake.to(real.dtype), real, u)), pack).square().sum(1)
    excess = (squares + 1e-12).sqrt() - 1  # the root has no gradient at 0
    return (excess.clamp(min=0) if one_sided else excess).square().mean()


def r1(critic: Critic, real: Tensor) -> Tensor:
    """E[|grad D(x)|^2] at real examples, without its factor gamma / 2. Mescheder et al. 2018, equation 9."""
    return input_gradient(critic, real).square().sum(1).mean()
