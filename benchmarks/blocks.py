"""Measuring training loops side by side: blocks of time in shuffled rounds, with a gate against busy neighbours.

Every loop lives in a greenlet of the one main thread and gives control back at the end of a step, so that loops which
never return (ours, and the peers') are measured unmodified and in turn. A greenlet rather than a thread: it shares the
main thread's pool of OpenMP workers, where every further thread would bring its own and two pools would fight for the
cores; and the hand-over costs one Python call and one look at the clock per step (0.1 us), for every loop alike.
"""

import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import torch
from greenlet import GreenletExit, getcurrent, greenlet

QUIET = 0.08  # cores that others may use during a block: /proc/stat itself is only good to 0.02 a second
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Variant:
    """A way to train a task.

    Args:
        name: Its name in the results.
        loop: Trains for ever and calls its argument after every step.
        images: Real images per step.
        against: The variant that does the same by hand.
        peer: Whether it is another library.
        precision: Of float32 matrix products: highest or medium.
    """

    name: str
    loop: Callable[[Callable[[], None]], None]
    images: int
    against: str = "plain"
    peer: bool = False
    precision: str = "highest"


@dataclass
class Measured:
    """What came out of a variant: one number per round, images per second."""

    variant: Variant
    rates: list[float] = field(default_factory=list)
    discarded: int = 0
    disturbed: int = 0


class Paused:
    """A loop that stands still between its blocks.

    Args:
        variant: What to run.
        device: Where it runs.
    """

    def __init__(self, variant: Variant, device: torch.device) -> None:
        self.variant = variant
        self.device = device
        self.steps = 0
        self.deadline = 0.0
        self.threads, self.matmul = torch.get_num_threads(), variant.precision  # global, but each loop has its own
        self.main = getcurrent()
        self.side = greenlet(self._run)

    def _run(self) -> None:
        self.variant.loop(self._tick)
        raise RuntimeError(f"{self.variant.name} came to its end")

    def _tick(self) -> None:
        self.steps += 1
        if time.perf_counter() >= self.deadline:
            self.main.switch()

    def block(self, seconds: float) -> tuple[float, float]:
        """Run for about `seconds`; returns images per second and the cores that other processes used meanwhile."""
        torch.set_num_threads(self.threads)
        torch.set_float32_matmul_precision(self.matmul)
        with open(os.devnull, "w") as null, redirect_stderr(null), redirect_stdout(null):
            self._wait()
            self.steps, busy, start = 0, foreign_seconds(), time.perf_counter()
            self.deadline = start + seconds
            self.side.switch()
            self._wait()
            elapsed = time.perf_counter() - start
        self.threads, self.matmul = torch.get_num_threads(), torch.get_float32_matmul_precision()
        return self.steps * self.variant.images / elapsed, (foreign_seconds() - busy) / elapsed

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def close(self) -> None:
        """End the loop; it cleans up after itself."""
        with open(os.devnull, "w") as null, redirect_stderr(null), redirect_stdout(null):
            self.side.throw(GreenletExit)


def foreign_seconds() -> float:
    """CPU seconds that other processes, and the host, have used on this machine's cores so far."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal, *_ = map(int, file.readline().split()[1:])
    own = os.times()
    return (user + nice + system + irq + softirq + steal) / TICKS_A_SECOND - own.user - own.system


def measure(
    variants: Sequence[Variant], device: torch.device, rounds: int, seconds: float, tries: int
) -> list[Measured]:
    """Run all variants in every round, in shuffled order.

    A block during which others used more than `QUIET` cores is discarded and run again; the quietest of `tries` is
    kept and counted as disturbed.
    """
    loops = [Paused(variant, device) for variant in variants]
    results = [Measured(variant) for variant in variants]
    for loop in loops:
        loop.block(seconds / 2)
    shuffle = random.Random(0).shuffle
    for _ in range(rounds):
        order = list(zip(loops, results, strict=True))
        shuffle(order)
        for loop, result in order:
            blocks: list[tuple[float, float]] = []
            while len(blocks) < tries and (not blocks or blocks[-1][1] > QUIET):
                blocks.append(loop.block(seconds))
            rate, foreign = min(blocks, key=lambda block: block[1])
            result.rates.append(rate)
            result.discarded += len(blocks) - 1
            result.disturbed += foreign > QUIET
    for loop in loops:
        loop.close()
    return results


def quartiles(values: Sequence[float]) -> list[float]:
    """First quartile, median and third quartile, to four digits."""
    cuts = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return [float(f"{value:.4g}") for value in cuts]


def records(task: str, results: Sequence[Measured]) -> list[dict[str, Any]]:
    """One record per variant; `against` holds the quartiles of the ratios per round to the plain loop and the peers."""
    rates = {result.variant.name: result.rates for result in results}
    peers = [result.variant.name for result in results if result.variant.peer]
    found = []
    for result in results:
        q1, median, q3 = quartiles(result.rates)
        others = [name for name in dict.fromkeys([result.variant.against, *peers]) if name != result.variant.name]
        found.append(
            {
                "task": task,
                "variant": result.variant.name,
                "images_per_second": median,
                "quartiles": [q1, q3],
                "against": {
                    name: quartiles([a / b for a, b in zip(result.rates, rates[name], strict=True)])
                    for name in others
                    if name in rates
                },
                "rounds": len(result.rates),
                "discarded": result.discarded,
                "disturbed": result.disturbed,
            }
        )
    return found
