"""CPU seconds until a command or an import is done: the median of seven processes after one that fills the cache."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

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
    before = os.times()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="a .jsonl file to append to")
    options = parser.parse_args()
    for name, arguments in COMMANDS.items():
        cpu_seconds(arguments)
        times = sorted(cpu_seconds(arguments) for _ in range(RUNS))
        line = {"command": name, "cpu_seconds": round(statistics.median(times), 3), "fastest": round(times[0], 3)}
        print(json.dumps(line), flush=True)
        if options.out:
            with options.out.open("a") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
