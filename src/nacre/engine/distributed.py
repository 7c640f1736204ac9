"""Several processes: gradients are averaged turn by turn in flat buckets, without a wrapper around the model.

A wrapper that hooks into backward gives the ranks different gradients, silently, when a penalty leaves a parameter
unused; averaging every gradient of the turn's players before the step cannot.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn


def start() -> None:
    """Join the process group that `torchrun` describes in the environment; without one, do nothing."""
    if "RANK" in os.environ and not dist.is_initialized():
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        if backend == "nccl":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group(backend, timeout=timedelta(minutes=10))


def stop() -> None:
    """Leave the process group, all at once unless an error is on its way out: who is left behind would be cut off."""
    if dist.is_initialized():
        if sys.exc_info()[0] is None:
            dist.barrier()
        dist.destroy_process_group()


_ALONE = [False]


@contextmanager
def alone() -> Iterator[None]:
    """Inside, this process trains by itself: what only one rank does must not wait for the others."""
    before, _ALONE[0] = _ALONE[0], True
    try:
        yield
    finally:
        _ALONE[0] = before


def together() -> bool:
    """Whether this process is one of several."""
    return dist.is_initialized() and not _ALONE[0]


def rank() -> int:
    """This process."""
    return dist.get_rank() if together() else 0


def world() -> int:
    """The number of processes."""
    return dist.get_world_size() if together() else 1


def barrier() -> None:
    """Wait for the others."""
    if together():
        dist.barrier()


@torch.no_grad()
def broadcast(module: nn.Module) -> None:
    """Give every process the parameters and buffers of rank 0."""
    if world() > 1:
        for tensor in [*module.parameters(), *module.buffers()]:
            dist.broadcast(tensor.data, 0)


@torch.no_grad()
def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes; a missing gradient counts as zero."""
    if world() == 1:
        return
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    average([p.grad for p in parameters if p.grad is not None])


@torch.no_grad()
def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by their means over the processes, in one flat bucket."""
    if world() == 1 or not tensors:
        return
    flat = mean(torch.cat([tensor.reshape(-1) for tensor in tensors]))
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def mean(values: Tensor) -> Tensor:
    """The mean of a tensor over the processes."""
    if world() > 1:
        dist.all_reduce(values)
        values /= world()
    return values


def any_of(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set in any process."""
    if world() == 1:
        return flag
    value = torch.tensor(float(flag), device=device)
    dist.all_reduce(value)
    return bool(value > 0)


def share(value: str) -> str:
    """What rank 0 says."""
    said = [value]
    if world() > 1:
        dist.broadcast_object_list(said, 0)
    return said[0]


def common(values: Sequence[int]) -> list[int]:
    """The values that every process has."""
    if world() == 1:
        return list(values)
    gathered: list[list[int]] = [[] for _ in range(world())]
    dist.all_gather_object(gathered, list(values))
    return sorted(set.intersection(*(set(g) for g in gathered)))
