"""Steady-state training in images per second: our engine, the same networks by hand, and the peers, side by side.

All variants of a task live in one process and take turns in short blocks (see `blocks.py`). A value is the median over
the rounds; a ratio is the median of the ratios within each round, with its quartiles.
"""

import argparse
import signal
import tempfile
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from blocks import measure, records
from machine import here, report
from ours import Ours
from tasks import TASKS, load, variants


def run(task: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure one task."""
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory() as folder:
        found = variants(task, load(task), device, Path(folder), with_peers=options.peers, fast=options.fast)
        results = measure(found, device, options.rounds, options.seconds, options.tries)
        lines = records(task, results)
        for line, result in zip(lines, results, strict=True):
            loop = result.variant.loop
            if isinstance(loop, Ours) and loop.out:
                line["occasional"] = loop.occasional(line["images_per_second"] / result.variant.images)
    place = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": options.threads,
    }
    return [line | place | here() for line in lines]


def table(lines: list[dict[str, Any]]) -> str:
    """The records for people."""
    rows = [f"{'task':<9}{'variant':<17}{'images/s':>10}  {'quartiles':<17} ratios [quartiles]"]
    for line in lines:
        ratios = ", ".join(f"{m:.2f} {name} [{a:.2f}-{b:.2f}]" for name, (a, m, b) in line["against"].items())
        low, high = line["quartiles"]
        rate = f"{line['images_per_second']:>10,.0f}  {f'{low:,.0f}-{high:,.0f}':<17}"
        note = f"  ({line['disturbed']} of {line['rounds']} blocks disturbed)" if line["disturbed"] else ""
        rows.append(f"{line['task']:<9}{line['variant']:<17}{rate} {ratios}{note}")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a block")
    parser.add_argument("--tries", type=int, default=6, help="blocks tried before a disturbed one is kept")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--fast", action="store_true", help="also bf16 and medium precision")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--out", type=Path, help="a .jsonl file to append to")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    lines: list[dict[str, Any]] = []
    for task in options.tasks:
        with threadpool_limits(options.threads):
            found = run(task, options)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the trainers, stopped out of order, left their own
        for line in found:
            report(line, options.out)
        lines += found
    print("\n" + table(lines))


if __name__ == "__main__":
    main()
