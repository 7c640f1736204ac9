"""Importance-weighted bounds on log p(x): many draws for every example, in bounded memory."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from nacre.errors import at_least

BYTES = 512_000_000
PER_VALUE, PER_EXAMPLE = 64, 4_096  # float32 activations that decoding one example takes at most


def importance_bound(
    log_weight: Callable[..., Tensor], x: Tensor, *given: Tensor, draws: int, at_once: int | None = None
) -> Tensor:
    r"""A lower bound on log p(x) in nats that tightens with k draws, and how many draws count, shape (n, 2).

    $$\log \frac 1 k \sum_i w_i \le \log p(x) \text{ on average}, \quad
    \frac{(\sum_i w_i)^2}{\sum_i w_i^2} \in [1, k], \quad w_i = \frac{p(x, z_i)}{q(z_i | x)}, \; z_i \sim q(z | x)$$

    The sums are kept while chunks of draws come and go, so that k may be any number.

    Args:
        log_weight: Draws one z for each row and gives log w: x (m, ...) and the rest of `given` (m, ...) -> (m,).
        x: Examples (n, ...).
        given: What else belongs to each example, such as the parameters of q(z|x), (n, ...) each.
        draws: k, 1 or more.
        at_once: The most rows that `log_weight` gets; by default as many as fit into 512 MB, if decoding an example
            takes 64 values for each of its own.

    Reference:
        Burda, Grosse, Salakhutdinov. Importance weighted autoencoders. 2016. arXiv 1509.00519, equation 8.
        Kong. A note on importance sampling using standardized weights. 1992.
    """
    at_least(1, draws=draws)
    limit = at_once or max(1, int(BYTES / (4 * (PER_VALUE * x[:1].numel() + PER_EXAMPLE))))
    parts = zip(*(rows.split(limit) for rows in (x, *given)), strict=True)
    return torch.cat([_of_chunk(log_weight, part, draws, limit // max(1, len(part[0]))) for part in parts])


def _of_chunk(log_weight: Callable[..., Tensor], rows: tuple[Tensor, ...], draws: int, at_once: int) -> Tensor:
    total = squares = rows[0].new_full((len(rows[0]),), -math.inf, dtype=torch.float64)
    for start in range(0, draws, at_once):
        k = min(at_once, draws - start)
        log_w = log_weight(*(part.repeat_interleave(k, 0) for part in rows)).view(-1, k).double()
        total = torch.logaddexp(total, torch.logsumexp(log_w, 1))
        squares = torch.logaddexp(squares, torch.logsumexp(2 * log_w, 1))
    return torch.stack([total - math.log(draws), (2 * total - squares).exp()], 1).float()
