"""A network for data of any kind: dense for vectors and small images, convolutional for larger ones."""

from collections.abc import Sequence
from typing import Literal

from torch import nn

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.nets import residual
from nacre.nets.dcgan import conv_decoder, conv_encoder
from nacre.nets.mlp import mlp

Network = Literal["auto", "dense", "conv", "residual"]


def is_conv(spec: Spec, network: Network) -> bool:
    """Whether `network` means convolutions for such data; "auto" takes them for images of 16 pixels and more.

    Raises:
        NacreError: Convolutions were asked for data that are no images.
    """
    if network in ("conv", "residual") and spec.kind != "image":
        raise NacreError(f"a {network} network needs images, these data are {spec.kind}s; use --network dense.")
    return network in ("conv", "residual") or (network == "auto" and spec.kind == "image" and min(spec.shape[1:]) >= 16)


def encoder(
    spec: Spec, out: int, hidden: Sequence[int], base: int, network: Network, act: str, bias_last: bool = True
) -> nn.Sequential:
    """Data (n, *shape) -> (n, out).

    Args:
        spec: The data.
        out: Outputs.
        hidden: Units of the dense network's hidden layers, or of those behind the residual network's maps.
        base: Channels of the convolutional network's finest map.
        network: "dense"; "conv", strided convolutions; "residual", residual blocks behind each of these; or "auto".
        act: The activation's name.
        bias_last: Whether the last layer has a bias.
    """
    conv = is_conv(spec, network)
    if network == "residual":
        return residual.encoder(spec.shape, out, hidden, base, act, bias_last=bias_last)
    if conv:
        return conv_encoder(spec.shape, out, base, act, bias_last=bias_last)
    return nn.Sequential(nn.Flatten(), *mlp([spec.size, *hidden, out], act, bias_last))


def decoder(
    spec: Spec, latent: int, hidden: Sequence[int], base: int, network: Network, act: str, outputs: int = 1
) -> nn.Sequential:
    """Latents (n, latent) -> unbounded values, `outputs` for each of the data's: the mirror of `encoder`.

    Args:
        spec: The data.
        latent: Size of the latent.
        hidden: Units of the dense layers, as the encoder has them.
        base: Channels of the convolutional network's finest map.
        network: As for `encoder`.
        act: The activation's name.
        outputs: Values for each value of the data, 1 or more; those of one kind stand together.
    """
    conv, shape = is_conv(spec, network), (outputs * spec.shape[0], *spec.shape[1:])
    if network == "residual":
        return residual.decoder(latent, shape, hidden, base, act)
    if conv:
        return conv_decoder(latent, shape, base, act)
    return mlp([latent, *reversed(hidden), outputs * spec.size], act)
