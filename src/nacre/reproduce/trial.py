"""One seed of a recipe: trained, judged, and put into one line of results."""

import inspect
import json
import os
import platform
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.engine.checkpoint import write_atomically
from nacre.engine.run import RunFolder
from nacre.engine.signals import InterruptedTraining
from nacre.engine.training import Training
from nacre.errors import NacreError, unknown
from nacre.reproduce.ledger import Line, verdicts
from nacre.reproduce.recipe import CHECKOUT, Setting

if TYPE_CHECKING:
    from nacre.metrics.result import Result


def run_seed(setting: Setting, seed: int, out: Path, resume: bool = False) -> Line:
    """Train and judge one seed in the run folder `out`, or give the line of a finished one.

    With `resume`, a seed that this commit has finished with this very setting is not trained again, and one that was
    stopped goes on. The line is written to `out`/reproduction.json as soon as it is complete.

    Raises:
        NacreError: The folder holds another run.
        InterruptedTraining: The training was stopped; its state was saved.
    """
    from nacre.api import train
    from nacre.data.sources import load_data
    from nacre.engine.play import working_precision
    from nacre.metrics import evaluate

    check(setting)
    if resume and (line := finished(setting, out)):
        return line
    begun = resume and (out / "run.json").is_file()
    name, hparams = setting.model["name"], {k: v for k, v in setting.model.items() if k != "name"}
    options = {key: tuple(v) if isinstance(v, list) else v for key, v in {**hparams, **setting.training}.items()}
    watch = Watch()
    data = load_data(setting.data, **setting.data_options)
    try:
        model = train(name, data, out=out, resume=begun, seed=seed, **options)
    except InterruptedTraining as stopped:
        where = str(stopped).split(";")[0]
        raise InterruptedTraining(f"{where}; go on with the same command and --resume.") from None
    trained, others = watch.read()
    judging = time.perf_counter()
    judges = {"data": data, **setting.evaluation}
    report = evaluate(model, **judges)
    steps = [record for record in RunFolder(out).log() if "seconds" in record]  # the doctor writes there too
    line = {
        "recipe": setting.recipe,
        "tier": setting.tier,
        "run": setting.run,
        "seed": seed,
        "digest": setting.digest,
        "results": {result.name: kept(result) for result in report},
        "seconds": {
            "training": round(steps[-1]["seconds"] if steps else 0.0, 1),
            "training_cpu": None if begun else round(trained, 1),
            "evaluation": round(time.perf_counter() - judging, 1),
        },
        "machine": {
            **machine(),
            "device": str(model.device),
            "precision": working_precision(RunFolder(out).config["training"]["precision"], model.device),
            "others": None if begun else others,
        },
        "versions": versions(),
        **commit(),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    keep(out, line)  # a recipe that expects what was not measured can be mended, and the seed is not trained again
    keep(out, judged(setting, line))
    return line


def judged(setting: Setting, line: Line) -> Line:
    """The line with what it reached.

    Raises:
        NacreError: The recipe expects a result that was not measured.
    """
    line["reached"] = {name: verdict["reached"] for name, verdict in verdicts(setting, line).items()}
    return line


def keep(out: Path, line: Line) -> None:
    """Write the line into the run folder."""
    write_atomically(out / "reproduction.json", (json.dumps(line, indent=2) + "\n").encode())


def check(setting: Setting) -> None:
    """Refuse what model, engine or yardstick do not know, before anything is trained.

    Raises:
        NacreError: A hyper-parameter, an option of `load_data`, of training or of `evaluate`, or a metric does not
            exist.
    """
    from nacre import metrics
    from nacre.data.sources import load_data
    from nacre.registry import find, hyperparameters

    model = find(setting.model["name"])
    known = ["name", *hyperparameters(model)]
    for key in setting.model:
        if key not in known:
            raise unknown(f"hyper-parameter of {setting.model['name']}", key, known)
    _, *options = inspect.signature(load_data).parameters
    for key in setting.data_options:
        if key not in options:
            raise unknown("option of load_data", key, options)
    if "seed" in setting.training:
        raise NacreError("training has a seed; list it in seeds = [...] instead.")
    try:
        Training.resolve(model.defaults, setting.training)
    except TypeError as error:
        raise NacreError(f"a value in training is of the wrong type: {error}.") from None
    for metric in setting.evaluation["metrics"]:
        metrics.find(metric)
    _, *options = inspect.signature(metrics.evaluate).parameters
    for key in setting.evaluation:
        if key not in options:
            raise unknown("option of evaluate", key, options)


def finished(setting: Setting, out: Path) -> Line | None:
    """The line of a seed that is done with this setting and this commit.

    Raises:
        NacreError: It is done with another setting or by another commit.
    """
    file = out / "reproduction.json"
    if not file.is_file():
        return None
    line = json.loads(file.read_text())
    if (line["digest"], line["commit"]) != (setting.digest, commit()["commit"]):
        what = "recipe" if line["digest"] != setting.digest else "commit"
        raise NacreError(f"{out} is finished, but with another {what}; choose another --out, or delete it.")
    return line if "reached" in line else judged(setting, line)


def kept(result: "Result") -> dict[str, Any]:
    """What a line keeps of a result."""
    return {
        "value": result.value,
        "unit": result.unit,
        "interval": result.interval and list(result.interval),
        "references": result.references,
        "protocol": str(result.protocol),
    }


class Watch:
    """The processor time that this process and all others take from now on."""

    def __init__(self) -> None:
        self.began, self.own, self.all = time.perf_counter(), time.process_time(), busy()

    def read(self) -> tuple[float, float | None]:
        """Seconds of processor time of our own, and how many cores the others kept busy, where the system says so."""
        seconds, own, now = time.perf_counter() - self.began, time.process_time() - self.own, busy()
        if now is None or self.all is None:
            return own, None
        return own, round(max(0.0, now - self.all - own) / seconds, 2)


def busy() -> float | None:
    """Seconds that all processors together have worked since the machine started; None where there is no /proc."""
    try:
        user, nice, system = Path("/proc/stat").read_text().split(maxsplit=4)[1:4]
    except (OSError, ValueError):
        return None
    return (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, Any]:
    """The processor, its cores and the threads that torch may use."""
    import torch

    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def versions() -> dict[str, str]:
    """Of nacre, torch and Python."""
    import torch

    from nacre import __version__

    return {"nacre": __version__, "torch": torch.__version__, "python": platform.python_version()}


def commit() -> dict[str, Any]:
    """The commit of the checkout, and whether the code differs from it; empty for an installed package."""
    if not (CHECKOUT / ".git").exists():
        return {"commit": "", "dirty": False}
    try:
        changed = git("status", "--porcelain", "--", "src")
        return {"commit": git("rev-parse", "--short=10", "HEAD"), "dirty": bool(changed)}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "", "dirty": False}


def git(*arguments: str) -> str:
    """What git answers about the checkout."""
    done = subprocess.run(["git", "-C", str(CHECKOUT), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
