"""What a discriminator sees of a whole batch: its deviation, or several examples as one."""

import torch
from torch import Tensor, nn

from nacre.errors import NacreError


class MinibatchStd(nn.Module):
    """Append the mean standard deviation within a group of examples, so that samples that are all alike look alike.

    s = mean over values of sqrt(var over the group + 1e-8), one number per group, appended as a constant map
    (n, c, h, w) -> (n, c + 1, h, w) or as a value (n, d) -> (n, d + 1). Karras et al. 2018, section 3.

    Args:
        group: Examples per group; where the batch cannot be cut so, the largest divisor of its size below.
    """

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Append the deviation."""
        n = len(x)
        size = max(k for k in range(1, min(self.group, n) + 1) if n % k == 0)
        groups = x.view(size, n // size, *x.shape[1:])
        variance = (groups - groups.mean(0)).square().mean(0)  # torch's own var is slow over few values
        s = (variance + 1e-8).sqrt().flatten(1).mean(1).repeat(size)  # (n,)
        if x.dim() == 4:
            return torch.cat([x, s[:, None, None, None].expand(-1, 1, *x.shape[2:])], 1)
        return torch.cat([x, s[:, None]], 1)


def pack(x: Tensor, m: int) -> Tensor:
    """M consecutive examples as one: (n, c, ...) -> (n // m, m c, ...); what is left over is not used.

    Raises:
        NacreError: There are fewer than m examples.
    """
    n, c, *sides = x.shape
    if n < m:
        raise NacreError(f"a pack takes {m} examples and the batch has {n}; use a larger --batch-size.")
    return x[: n // m * m].reshape(n // m, m * c, *sides)
