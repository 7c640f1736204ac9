"""Every registered model at toy size, on toy data."""

from functools import cache
from pathlib import Path

import torch
from torch.overrides import TorchFunctionMode

import nacre
from nacre.data.dataset import Data
from nacre.engine.callbacks import Callback
from nacre.model import Model
from nacre.registry import create, find, names

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SMALL = {
    "ae": {"latent": 4, "hidden": (16,)},
    "stacked-ae": {"hidden": (12, 6)},
    "denoising-ae": {"latent": 12},
    "sparse-ae": {"latent": 24, "k": 3},
    "contractive-ae": {"latent": 12},
    "vae": {"latent": 4, "hidden": (16,)},
    "attribute-vae": {"latent": 4, "background": 2, "hidden": (16,)},
    "tabular-vae": {"latent": 4, "hidden": (16,), "bins": 5},
    "cvae": {"latent": 4, "hidden": (16,)},
    "conv-vae": {"latent": 4, "channels": 4, "hidden": 8},
    "iwae": {"latent": 4, "hidden": (16,), "k": 3},
    "beta-tcvae": {"latent": 4, "hidden": (16,)},
    "factor-vae": {"latent": 4, "hidden": (16,), "judge": (16,)},
    "vamp-vae": {"latent": 4, "hidden": (16,), "pseudo_inputs": 5},
    "ladder-vae": {"latent": 4, "top": 2, "hidden": (16,)},
    "vq-vae": {"latent": 3, "entries": 8, "width": 4, "hidden": (16,), "memory": 8},
    "lstm": {"hidden": 8, "bins": 4},
    "rbm": {"hidden": 12, "chains": 16},
    "gan": {"latent": 4, "hidden": (16,)},
    "dcgan": {"latent": 4, "channels": 4},
    "lsgan": {"latent": 4, "hidden": (16,)},
    "wgan": {"latent": 4, "hidden": (16,), "n_critic": 2},
    "wgan-gp": {"latent": 4, "hidden": (16,), "n_critic": 2},
    "sngan": {"latent": 4, "hidden": (16,)},
    "hinge-gan": {"latent": 4, "hidden": (16,)},
    "pacgan": {"latent": 4, "hidden": (16,)},
    "lapgan": {"latent": 4, "hidden": (16,), "channels": 4},
    "gs-gan": {"latent": 4, "hidden": 8, "bins": 4},
    "progressive-gan": {"latent": 4, "channels": 2},
    "cgan": {"latent": 4, "hidden": (16,)},
    "acgan": {"latent": 4, "hidden": (16,)},
    # In so few steps all scores stay within the hinge, where the last bias has no gradient.
    "projection-gan": {"latent": 4, "hidden": (16,), "game": "non-saturating"},
    "biggan": {"latent": 4, "channels": 2, "embedding": 4, "game": "non-saturating"},
    "infogan": {"latent": 4, "hidden": (16,)},
    "r3gan": {"latent": 4, "hidden": (16,)},
}
OPTIONS = {"batch_size": 16, "steps": 6, "progress": False, "device": "cpu"}
MODELS = names()


@cache
def digits() -> Data:
    """64 digits: enough for four batches."""
    data = nacre.load_data("digits")
    return data.subset(torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:64])


def make(name: str, seed: int = 0) -> Model:
    """A small model with seeded weights."""
    torch.manual_seed(seed)
    return create(name, digits().spec, **SMALL.get(name, {}))


def known_failure(name: str, check: str) -> str | None:
    """Why a model is allowed, and therefore required, to fail a check."""
    return find(name).known_failures.get(check)


class StopAt(Callback):
    """Ask for a stop at a step, as Ctrl-C does."""

    def __init__(self, step: int) -> None:
        self.every = step

    def step(self, trainer):
        trainer.signals.caught = 2


class SameForEveryRow(TorchFunctionMode):
    """Random draws that give every example the same noise, so that cutting a batch apart changes nothing."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in (torch.randn, torch.rand):
            size = tuple(args[0]) if isinstance(args[0], tuple | list | torch.Size) else args
            return self.row(func, size).clone()
        if func in (torch.randn_like, torch.rand_like):
            kind = torch.randn if func is torch.randn_like else torch.rand
            return self.row(kind, tuple(args[0].shape)).clone()
        if func is torch.nn.functional.dropout:
            x, p = args[0], kwargs.get("p", args[1] if len(args) > 1 else 0.5)
            return x * (self.row(torch.rand, tuple(x.shape)) >= p) / (1 - p)
        return func(*args, **kwargs)

    def row(self, kind, size):
        generator = torch.Generator().manual_seed(sum(size[1:]) + (kind is torch.rand))
        return kind((1, *size[1:]), generator=generator).expand(size)
