"""Dense networks."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from nacre.errors import unknown

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "identity": nn.Identity,
    "leaky-relu": nn.LeakyReLU,
}


def activation(name: str) -> nn.Module:
    """An activation by name; leaky-relu has slope 0.2, as the GANs of the literature use it.

    Raises:
        NacreError: There is no such activation.
    """
    if name not in ACTIVATIONS:
        raise unknown("activation", name, list(ACTIVATIONS))
    return nn.LeakyReLU(0.2) if name == "leaky-relu" else ACTIVATIONS[name]()


def mlp(sizes: Sequence[int], act: str = "relu", bias_last: bool = True) -> nn.Sequential:
    """Linear layers of the given sizes with an activation between them: (n, sizes[0]) -> (n, sizes[-1]).

    Args:
        sizes: Units of the input, the hidden layers and the output.
        act: The activation's name.
        bias_last: Whether the last layer has a bias.
    """
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        layers += [nn.Linear(a, b, bias=bias_last or not last), *([] if last else [activation(act)])]
    return nn.Sequential(*layers)
