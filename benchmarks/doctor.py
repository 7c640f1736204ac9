"""The CPU time that the training doctor adds: paired blocks with and without, in one process.

Both runs of a pair have the same seed and hence the same weights; their order alternates. CPU time rather than the
clock's, so that a busy machine disturbs less. The doctor is made to keep every checkup, as `--doctor act` would.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import torch

import machine
import nacre
from nacre.engine.callbacks import Callback
from nacre.engine.doctor.watch import Doctor

TASKS = {"vae": {}, "wgan-gp": {}, "rbm": {}, "gan": {}}


class Stopwatch(Callback):
    """The CPU time of the doctor's own calls.

    Args:
        doctor: Whom to watch.
    """

    def __init__(self, doctor: Doctor) -> None:
        self.doctor, self.seconds = doctor, 0.0

    def start(self, trainer: Any) -> None:
        """Choose the steps as the doctor does."""
        self.doctor.start(trainer)
        self.every = self.doctor.every

    def step(self, trainer: Any) -> None:
        """Time a checkup."""
        start = time.process_time()
        self.doctor.step(trainer)
        self.seconds += time.process_time() - start


def train(task: str, data: nacre.Data, steps: int, callbacks: list[Callback]) -> float:
    torch.manual_seed(0)
    model = nacre.create(task, data.spec, **TASKS[task])
    start = time.process_time()
    model.fit(data, steps=steps, progress=False, doctor="off", callbacks=callbacks, threads=1, device="cpu")
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--data", default="digits")
    parser.add_argument("--steps", type=int, default=1_000, help="of every block")
    parser.add_argument("--run", type=int, default=10_000, help="steps of the run whose checkup spacing is used")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="append the results to this file")
    arguments = parser.parse_args()
    data = nacre.load_data(arguments.data)
    every = max(100, arguments.run // 40)
    for task in arguments.tasks:
        train(task, data, 50, [])
        ratios, own = [], []
        for i in range(arguments.rounds):
            seconds = {}
            for doctor in (i % 2 == 0, i % 2 == 1):
                watch = Stopwatch(Doctor(every=every, budget=1e9))
                seconds[doctor] = train(task, data, arguments.steps, [watch] if doctor else [])
                own += [watch.seconds / (seconds[doctor] - watch.seconds)] if doctor else []
            ratios.append(seconds[True] / seconds[False] - 1)
        line = {
            "benchmark": "doctor",
            "task": task,
            "data": arguments.data,
            "every": every,
            "added": round(statistics.median(ratios), 4),
            "own_calls": round(statistics.median(own), 4),
            "rounds": arguments.rounds,
            "steps": arguments.steps,
        }
        machine.report({**line, **machine.here()}, arguments.out)


if __name__ == "__main__":
    main()
