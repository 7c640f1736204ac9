"""An encoder of sigmoid-like layers, and the decoder that mirrors it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from nacre.nets.mlp import activation


def layers(sizes: Sequence[int], act: str) -> nn.Sequential:
    """Linear layers that are each followed by an activation, the last one too: (n, sizes[0]) -> (n, sizes[-1]).

    Args:
        sizes: Units of the input and of every layer.
        act: The activation's name.
    """
    return nn.Sequential(*(nn.Sequential(nn.Linear(a, b), activation(act)) for a, b in pairwise(sizes)))


class Tied(nn.Module):
    """The mirror of an encoder, with its weights transposed: x = W_1' s(W_2' ... s(W_l' z + c_l) ...) + c_1.

    It owns the biases c_i alone; the weights stay the encoder's.

    Args:
        encoder: Made by `layers`.
        act: The activation's name; the last layer has none.

    Shapes:
        (n, sizes[-1]) -> (n, sizes[0]).
    """

    def __init__(self, encoder: nn.Sequential, act: str) -> None:
        super().__init__()
        linears = [cast(nn.Linear, cast(nn.Sequential, layer)[0]) for layer in encoder]
        self.linears = tuple(reversed(linears))  # a tuple is not registered: the weights have one owner
        self.biases = nn.ParameterList(torch.zeros(layer.in_features) for layer in self.linears)
        self.activation = activation(act)

    def forward(self, z: Tensor) -> Tensor:
        """The decoder's output, unbounded."""
        for i, (layer, bias) in enumerate(zip(self.linears, self.biases, strict=True)):
            z = linear(self.activation(z) if i else z, layer.weight.T, bias)
        return z
