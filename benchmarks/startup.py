"""CPU seconds until a command or an import is done: the median of seven processes after one that fills the cache."""

import argparse
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from machine import here, report

RUNS = 7
COMMANDS = {
    "python": ["-c", ""],
    "nacre --help": ["-m", "nacre", "--help"],
    "nacre models": ["-m", "nacre", "models"],
    "import nacre": ["-c", "import nacre"],
    "import torch": ["-c", "import torch"],
    "import torch, nacre": ["-c", "import torch, nacre; nacre.load_data, nacre.Model"],
}


def cpu_seconds(arguments: list[str]) -> float:
    """User and system time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="a .jsonl file to append to")
    options = parser.parse_args()
    for name, arguments in COMMANDS.items():
        cpu_seconds(arguments)
        times = sorted(cpu_seconds(arguments) for _ in range(RUNS))
        line = {"command": name, "cpu_seconds": round(statistics.median(times), 3), "fastest": round(times[0], 3)}
        report(line | here(), options.out)


if __name__ == "__main__":
    main()
