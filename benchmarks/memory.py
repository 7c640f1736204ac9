"""Peak memory of a fresh process that trains one variant, above that of importing torch; one JSON line each."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import here, report

STEPS = 200


def peak() -> float:
    """The largest resident set of this process so far, MB (VmHWM, which begins anew when a process starts)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def train(task: str, variant: str, threads: int) -> None:
    """Train one variant in this process and print its peak and the size of the data it was given."""
    import torch

    from tasks import load, variants

    torch.set_num_threads(threads)
    data = load(task)
    steps = 0

    class Enough(Exception):  # noqa: N818
        pass

    def tick() -> None:
        nonlocal steps
        steps += 1
        if steps == STEPS:
            raise Enough

    with tempfile.TemporaryDirectory() as folder:
        found = {v.name: v for v in variants(task, data, torch.device("cpu"), Path(folder))}
        try:
            found[variant].loop(tick)
        except Enough:
            print(json.dumps([peak(), data.x.nbytes / 2**20]))


def child(*arguments: str) -> str:
    """The last line that a fresh interpreter prints."""
    output = subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout
    return output.splitlines()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=["vae", "dcgan", "wgan-gp", "rbm"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path, help="a .jsonl file to append to")
    parser.add_argument("--one", nargs=2, metavar=("TASK", "VARIANT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        train(options.one[0], options.one[1], options.threads)
        return
    script = Path(__file__).resolve()
    folder = str(script.parent)
    base = float(child("-c", f"import sys; sys.path.insert(0, {folder!r}); import torch, memory; print(memory.peak())"))
    peers = {"vae": ["pythae"], "dcgan": ["torchgan"], "wgan-gp": ["torchgan"], "rbm": ["sklearn-float32"]}
    for task in options.tasks:
        for variant in ["plain", "nacre-full", *(peers[task] if options.peers else [])]:
            top, data = json.loads(child(str(script), "--threads", str(options.threads), "--one", task, variant))
            line = {
                "task": task,
                "variant": variant,
                "peak_mb": round(top),
                "torch_mb": round(base),
                "above_torch_mb": round(top - base),
                "data_mb": round(data),
                "steps": STEPS,
            }
            report(line | here(), options.out)


if __name__ == "__main__":
    main()
