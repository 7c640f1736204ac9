"""The tasks, and every way to train them."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

import nacre
import peers
import plain
from blocks import Variant
from nacre.data.dataset import Data
from nacre.engine.play import working_precision
from ours import BARE, Ours


@dataclass(frozen=True)
class Task:
    """What is trained.

    Args:
        model: The model's name.
        hparams: Its arguments.
        size: The side that MNIST is resized to; None leaves it at 28.
        batch: Examples per batch.
        draws: Batches per step.
    """

    model: str
    hparams: dict[str, Any]
    size: int | None = None
    batch: int = 64
    draws: int = 1


TASKS = {
    "vae": Task("vae", {"network": "dense"}, batch=128),
    "dcgan": Task("dcgan", {}, size=32),
    "sngan": Task("sngan", {"network": "conv"}, size=32),
    "biggan": Task("biggan", {"channels": 16}, size=32, draws=2),
    "wgan-gp": Task("wgan-gp", {"network": "dense"}, draws=5),
    "rbm": Task("rbm", {}, batch=100),
}
BY_HAND = {
    "vae": plain.vae, "dcgan": plain.dcgan, "sngan": plain.sngan, "biggan": plain.biggan, "wgan-gp": plain.wgan_gp,
    "rbm": plain.rbm,
}  # fmt: skip
FAST = {"vae": ("medium", "bf16"), "wgan-gp": ("medium", "bf16"), "rbm": ("medium",)}


def load(name: str) -> Data:
    """The task's data."""
    return nacre.load_data("mnist", size=TASKS[name].size)


def variants(
    name: str, data: Data, device: torch.device, folder: Path, *, with_peers: bool = True, fast: bool = False
) -> list[Variant]:
    """Every way to train a task; those without a name of their own follow the plain loop.

    Args:
        name: The task.
        data: What `load` gave.
        device: Where to train.
        folder: For run folders.
        with_peers: Whether the peers take part.
        fast: Whether "medium" and bf16 do.
    """
    task, images = TASKS[name], data.x.to(device)
    per_step = task.draws * task.batch
    shape = (task.draws, task.batch)

    def by_hand(label: str, step: plain.Step, **more: Any) -> Variant:
        return Variant(label, plain.loop(step, len(images), *shape, device), per_step, **more)

    def ours(label: str, options: dict[str, Any], out: Path | None = None, **more: Any) -> Variant:
        hparams = task.hparams | more.pop("hparams", {})
        options = {"batch_size": task.batch, "device": str(device), **options}
        return Variant(label, Ours(task.model, data, hparams, options, out), per_step, **more)

    step = BY_HAND[name]
    if name == "biggan":
        assert data.y is not None
        step = partial(plain.biggan, labels=data.y.to(device))
    found = [by_hand("plain", step(images)), ours("nacre-bare", BARE), ours("nacre-full", {}, folder / name)]
    if name == "dcgan":
        found.append(by_hand("plain-reuse", plain.dcgan(images, reuse=True)))
    if name == "rbm":
        found += [
            by_hand("plain-uncentred", plain.rbm(images, centred=False)),
            ours("nacre-uncentred", BARE, hparams={"centering": False}, against="plain-uncentred"),
        ]
    faster = FAST.get(name, ("bf16",)) if fast else ()
    for precision in (each for each in faster if working_precision(each, device) == each):  # not what is imitated
        matmul = "medium" if precision == "medium" else "highest"
        found += [
            by_hand(f"plain-{precision}", step(images, precision), precision=matmul),
            ours(f"nacre-{precision}", {**BARE, "precision": precision}, against=f"plain-{precision}"),
        ]
    if device.type == "cuda":
        found += [
            ours("nacre-compiled", {**BARE, "compile": True}),
            by_hand("plain-graph", plain.graphed(step(images), *shape)),
        ]
    if with_peers:
        found += [replace(variant, peer=True) for variant in rivals(name, images)]
    return found


def rivals(name: str, images: torch.Tensor) -> list[Variant]:
    """The peers of a task."""
    if name == "vae":
        return [Variant("pythae", peers.pythae_vae(images), 128)]
    if name == "dcgan":
        return [Variant("torchgan", peers.torchgan_dcgan(images), 64)]
    if name == "wgan-gp":
        return [Variant("torchgan", peers.torchgan_wgan_gp(images), 64)]
    if name in ("sngan", "biggan"):  # torchgan has neither
        return []
    return [
        Variant("sklearn-float32", peers.sklearn_rbm(images, torch.float32), 100),
        Variant("sklearn-float64", peers.sklearn_rbm(images, torch.float64), 100),
    ]
