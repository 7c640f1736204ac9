"""The two networks of a game for data of any kind: dense, strided convolutions or residual."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.nets import coder
from nacre.nets.dcgan import Upsampling, conv_decoder, conv_layers
from nacre.nets.minibatch import MinibatchStd, pack
from nacre.nets.mlp import activation, mlp
from nacre.nets.resnet import res_decoder, res_encoder
from nacre.nets.scale import FromData, ToData

Network = Literal["auto", "dense", "conv", "resnet"]
COMPARED = 32  # units after the minibatch deviation, so that what it says can be weighed


def resolved(spec: Spec, network: Network) -> Network:
    """The network that "auto" means: strided convolutions for images of 16 pixels and more, else dense.

    Raises:
        NacreError: Convolutions were asked for data that are no images.
    """
    if network == "resnet":
        if spec.kind != "image":
            raise NacreError(f"a resnet needs images, these data are {spec.kind}s; use --network dense.")
        return network
    return "conv" if coder.is_conv(spec, network) else "dense"


def generator(
    spec: Spec,
    latent: int,
    network: Network,
    hidden: Sequence[int],
    channels: int,
    norm: bool = False,
    upsampling: Upsampling = "transposed",
) -> nn.Sequential:
    """Latents (n, latent) -> examples (n, *shape) in the data's units.

    Args:
        spec: The data.
        latent: Size of the input.
        network: "dense", "conv", "resnet" or "auto".
        hidden: Units of the dense network's hidden layers.
        channels: Channels of the finest map of the others.
        norm: Batch norm in the hidden layers of convolutional and residual networks.
        upsampling: How the strided network doubles its maps.
    """
    kind = resolved(spec, network)
    if kind == "dense":
        net: nn.Module = mlp([latent, *hidden, spec.size], "leaky-relu")
    elif kind == "conv":
        net = conv_decoder(latent, spec.shape, channels, "relu", norm, upsampling)
    else:
        net = res_decoder(latent, spec.shape, channels, "relu", norm)
    return nn.Sequential(net, ToData(spec))


class Discriminator(nn.Module):
    """Examples (n, *shape) -> scores (n // pack, 1): a trunk that gives features, and a linear head.

    Args:
        spec: The data.
        network: "dense", "conv", "resnet" or "auto".
        hidden: Units of the dense network's hidden layers, from the data inwards.
        channels: Channels of the finest map of the others.
        norm: Batch norm in the hidden layers of the strided network, except the first.
        act: The activation.
        packed: Examples judged together, 1 or more.
        compares: Whether the deviation within the minibatch is one of the features.
        bias: Whether the head has a bias.
        told: Values beside each example that it may look at, as `forward`'s second argument.
    """

    def __init__(
        self,
        spec: Spec,
        network: Network,
        hidden: Sequence[int],
        channels: int,
        norm: bool = False,
        act: str = "leaky-relu",
        packed: int = 1,
        compares: bool = False,
        bias: bool = True,
        told: int = 0,
    ) -> None:
        super().__init__()
        kind = resolved(spec, network)
        layers: list[nn.Module]
        self.packed, self.told = packed, told
        self.scale = FromData(spec)
        c, *sides = spec.shape
        shape = (packed * (c + told), *sides)
        if kind == "dense":
            size = packed * (spec.size + told)
            layers = [nn.Flatten(), *mlp([size, *hidden], act), *([activation(act)] if hidden else [])]
            features = hidden[-1] if hidden else size
        elif kind == "conv":
            layers, features = conv_layers(shape, channels, act, norm)
        else:
            trunk = res_encoder(shape, channels, "relu")
            layers, features = list[nn.Module]([trunk]), trunk.features
        self.maps = kind != "dense"
        self.trunk = nn.Sequential(*layers)
        if compares:
            self.trunk.extend([MinibatchStd(), nn.Linear(features + 1, COMPARED), activation(act)])
            features = COMPARED
        self.features = features
        self.head = nn.Linear(features, 1, bias=bias)

    def look(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        """The features that the head judges by: (n, *shape), (n, told) -> (n // packed, features)."""
        x = self.scale(x) if self.maps else self.scale(x).flatten(1)
        x = x if told is None else beside(x, told)
        return self.trunk(pack(x, self.packed) if self.packed > 1 else x)

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        """The scores (n // packed, 1)."""
        return self.head(self.look(x, told))


def beside(x: Tensor, told: Tensor) -> Tensor:
    """Values (n, k) beside examples: as k further maps of images, as k further values of rows."""
    if x.dim() == 4:
        told = told[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, told.to(x.dtype)], 1)
