"""Inception features through torch-fidelity: those of the published Frechet and kernel inception distances."""

import hashlib
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.metrics.features import Extractor

LAYERS = ["2048", "logits_unbiased"]
BATCH = 50  # images of 299 x 299 at once


def inception(spec: Spec) -> Extractor:
    """The 2,048 features of Inception v3 before its last layer, and the softmax of its logits without their bias.

    Images are rounded to 8 bits and resized bilinearly to 299 x 299 as TensorFlow 1 did; grey ones are repeated to
    three channels, with a warning. The weights are torch-fidelity's, downloaded, or the file of NACRE_INCEPTION.

    Raises:
        NacreError: The data are no images of one or three channels, torch-fidelity is not installed, or the weights
            cannot be had.

    Reference:
        Szegedy, Vanhoucke, Ioffe, Shlens, Wojna. Rethinking the inception architecture for computer vision. 2016.
    """
    if spec.kind != "image" or spec.shape[0] not in (1, 3):
        raise NacreError(f"inception takes images of 1 or 3 channels and not {spec.shape}; choose features pixels.")
    net = network()
    net.to("cuda" if torch.cuda.is_available() else "cpu")
    grey = "grey images were repeated to three channels for an extractor of colour photographs; prefer features data."
    digest = digest_of(net)
    return Extractor(
        f"inception-v3 {digest}",
        lambda x: torch.cat([features for features, _ in outputs(net, x)]),
        classify=lambda x: torch.cat([logits.softmax(1) for _, logits in outputs(net, x)]),
        digest=digest,
        resize="299x299",
        warnings=(grey,) if spec.shape[0] == 1 else (),
    )


def network() -> nn.Module:
    """The network of torch-fidelity: uint8 images (n, 3, h, w) -> features (n, 2048) and logits (n, 1008).

    Raises:
        NacreError: It is not installed, or the weights cannot be had.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError:
        raise NacreError('inception features need torch-fidelity; run pip install "nacre[fid]".') from None
    path = os.environ.get("NACRE_INCEPTION") or None
    options: dict[str, Any] = {"feature_extractor_weights_path": path, "verbose": False}
    try:
        if path:  # torch-fidelity would run whatever code a pickled file holds
            torch.load(Path(path).expanduser(), map_location="cpu", weights_only=True)
            options["feature_extractor_weights_path"] = Path(path).expanduser()
        return FeatureExtractorInceptionV3("inception-v3-compat", LAYERS, **options)
    except (URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise NacreError(
            f"the weights of Inception cannot be fetched ({reason}); connect to the network or set the "
            f"environment variable NACRE_INCEPTION to the file that torch-fidelity publishes."
        ) from None
    except (OSError, RuntimeError, EOFError, AttributeError, TypeError, pickle.UnpicklingError):
        raise NacreError(
            f"{path or 'the downloaded file'} does not hold the weights of Inception; set the environment variable "
            f"NACRE_INCEPTION to the file that torch-fidelity publishes."
        ) from None


@torch.no_grad()
def outputs(net: nn.Module, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield features and logits on the CPU by batches of images in [0, 1], shape (n, 1 or 3, h, w)."""
    device = next(net.parameters()).device
    for part in x.split(BATCH):
        pixels = (255 * part).round().clamp(0, 255).to(device, torch.uint8)
        features, logits = net(pixels.expand(-1, 3, -1, -1))
        yield features.cpu(), logits.cpu()


def digest_of(net: nn.Module) -> str:
    """8 hexadecimal digits of the weights."""
    digest = hashlib.sha256()
    for value in net.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()[:8]
