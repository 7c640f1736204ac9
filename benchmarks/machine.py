"""Where and when something was measured, and where the lines go."""

import json
import platform
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any


def here() -> dict[str, str]:
    """The processor, the versions and the date."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.machine(),
        "torch": version("torch"),
        "python": platform.python_version(),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def report(line: Mapping[str, Any], out: Path | None) -> None:
    """Print a line, and append it to a file if there is one."""
    text = json.dumps(dict(line))
    print(text, flush=True)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("a") as file:
            file.write(text + "\n")
