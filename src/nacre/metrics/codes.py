"""What stands for an example when a representation is judged: a model's codes, or a baseline without a model."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from nacre.metrics.patches import kmeans_features
from nacre.metrics.probes import standardised
from nacre.model import Model
from nacre.nets.mlp import ACTIVATIONS

JUDGES = ("discriminator", "critic")
POOLED = 4
COMPONENTS = 256


def has_codes(model: Model) -> bool:
    """Whether the model encodes, or has a discriminator or a critic whose activations belong to single examples."""
    if model.can("encode") or not activations(model):
        return model.can("encode")
    try:
        return len(model_codes(model, torch.zeros(2, *model.spec.shape))) == 2
    except (TypeError, RuntimeError):  # it also wants labels, or several examples as one
        return False


def model_codes(model: Model, x: Tensor, seed: int = 0) -> Tensor:
    """The model's code of every example on the CPU, (n, d).

    A model that does not encode is judged by its network named `discriminator` or `critic`: the outputs of all its
    activations, maps max-pooled to 4 x 4, side by side.

    Args:
        model: A model for which `has_codes` holds.
        x: Examples (n, *shape).
        seed: Of a noisy encoder.

    Reference:
        Radford, Metz, Chintala. Unsupervised representation learning with deep convolutional generative adversarial
        networks. 2016 (section 5.1, the pooled activations).
    """
    if model.can("encode"):
        return model.encode(x, seed=seed).flatten(1).cpu().float()
    found: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda _, __, out: found.append(pooled(out))) for layer in activations(model)]
    network, rows = judge(model), []
    assert network is not None
    try:
        with model.evaluating(), torch.no_grad():
            for part in model.place(x).split(500):
                found.clear()
                network(part)
                rows.append(torch.cat(found, 1).cpu().float())
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(rows)


def code_name(model: Model, width: int) -> str:
    """What `model_codes` gives, for protocols."""
    if model.can("encode"):
        return f"codes of {width} values"
    kind = next(name for name in JUDGES if judge(model) is getattr(model, name, None))
    return f"{width:,} pooled activations of the {kind}"


def judge(model: Model) -> nn.Module | None:
    """The network that tells real from generated examples, if the model has one under a usual name."""
    found = [getattr(model, name, None) for name in JUDGES]
    return next((network for network in found if isinstance(network, nn.Module)), None)


def activations(model: Model) -> list[nn.Module]:
    """The activation layers of that network, in order."""
    network = judge(model)
    kinds = tuple(kind for kind in ACTIVATIONS.values() if kind is not nn.Identity)
    return [] if network is None else [layer for layer in network.modules() if isinstance(layer, kinds)]


def pooled(x: Tensor) -> Tensor:
    """Maps (n, c, h, w) max-pooled to at most 4 x 4, as rows; other values as they are: -> (n, ...)."""
    if x.dim() == 4:
        x = adaptive_max_pool2d(x, (min(POOLED, x.shape[2]), min(POOLED, x.shape[3])))
    return x.flatten(1)


def pca(x: Tensor, test: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Both sets in the first principal components of the first, at most 256: (n, k) and (m, k).

    Args:
        x: Examples (n, ...).
        test: Examples (m, ...).
        size: The most components.
    """
    x, test = x.flatten(1), test.flatten(1)
    center = x.mean(0)
    k = min(size, COMPONENTS, *x.shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        directions = torch.pca_lowrank(x - center, q=k, center=False, niter=8)[2]
    return (x - center) @ directions, (test - center) @ directions


def kmeans(x: Tensor, test: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Both sets in the standardised k-means features of the first; see `nacre.metrics.patches`."""
    features = kmeans_features(x, seed)
    first, second = standardised(features(x), features(test))
    return first, second


def pixels(x: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets as rows of their own values."""
    return x.flatten(1), test.flatten(1)


Pair = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def baselines(image: bool, width: int, seed: int) -> dict[str, tuple[str, Pair]]:
    """The representations that need no model, by name, each with what decides it and how it is made.

    Args:
        image: Whether the examples are images.
        width: The size of the model's codes, which PCA takes too.
        seed: Of the patches.
    """
    return {
        "pixels" if image else "raw values": ("", pixels),
        "PCA": (f"{width}", lambda x, test: pca(x, test, width)),
        "k-means": (f"{seed}", lambda x, test: kmeans(x, test, seed)),
    }
