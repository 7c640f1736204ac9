"""The data that a verb about a run works on."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.errors import NacreError

if TYPE_CHECKING:
    from nacre.data.dataset import Data
    from nacre.data.spec import Spec


def held_out(run: str, source: str = "") -> "Data":
    """The data asked for, or held-out examples of the run's own data set, or, where there are none, all it saw.

    Raises:
        NacreError: The run was trained on an array, which only its owner has, or its data have changed since.
    """
    data = own_data(run, source)
    return data if source else data.sibling("test") or data


def given(run: str, source: str) -> "Data":
    """All of the data asked for, or held-out examples of the run's own.

    A file without splits of its own is taken as a whole, unless a part of it is named.

    Raises:
        NacreError: As of `own_data`.
    """
    if not source:
        return held_out(run)
    data = named(run, source, measured=False)
    if data.cut and not source.endswith((":train", ":test")):
        return named(run, source, measured=False, split="all")
    return data


def own_data(run: str, source: str = "") -> "Data":
    """The data asked for as the run's model takes them, or those that the run was trained on.

    Raises:
        NacreError: The run was trained on an array, which only its owner has; its data have changed since; or the
            model does not take those that were named.
    """
    from nacre.data.dataset import LazyData
    from nacre.data.sources import load_data
    from nacre.engine.run import RunFolder

    if source:
        return named(run, source)
    recorded = RunFolder(run).config["data"]["data"]
    if not recorded["name"]:
        raise NacreError(f"{run} was trained on an array, which was not stored; name the data to use.")
    data = load_data(
        recorded["name"],
        split=recorded["split"],
        size=recorded["size"],
        attributes=recorded.get("attributes", ()),
        label=recorded.get("label", ""),
        columns=recorded.get("columns", ()),
        limit=recorded.get("limit", 0),
        soften=recorded.get("soften", 0.0),
    )
    # Of images that stay encoded the fingerprint tells names and times, which a copy of the files need not keep.
    encoded = isinstance(data, LazyData) or recorded.get("encoded", False)
    if len(data) != recorded["n"] or not (encoded or data.fingerprint == recorded["fingerprint"]):
        raise NacreError(
            f"{recorded['name']} is not what {run} was trained on ({recorded['n']} examples then, {len(data)} now, or "
            f"others), so that held-out examples may have been seen; restore it, or name the data to use."
        )
    return data


def named(run: str, source: str, *, measured: bool = True, split: str | None = None) -> "Data":
    """Data by name as the run's model takes them.

    Images get the model's size, and the attributes that the run measured. Of a table the model's columns are kept, in
    its order and with its numbers of categories, and the run's labels, which new rows may lack.

    Raises:
        NacreError: The model does not know a column or a category.
    """
    from nacre.data.sources import load_data
    from nacre.metrics.given import numbered_like

    spec, recorded = facts(run)
    options: dict[str, Any] = {"split": split}
    if spec.kind == "image":
        options |= {"size": spec.shape[1:], "attributes": recorded.get("attributes", ()) if measured else ()}
    data = load_data(source, **options)
    there = data.spec.columns
    if not there or not spec.columns:
        return data
    if (label := recorded.get("label", "")) in there:
        options["label"] = label
    if set(spec.columns) < set(there) - {label}:
        options["columns"] = spec.columns
    return numbered_like(load_data(source, **options), spec)


def facts(run: str) -> tuple["Spec", dict[str, Any]]:
    """What data the model of a run folder, or of a folder of `save_pretrained`, is for, and what the run recorded."""
    from nacre.data.spec import Spec
    from nacre.engine.run import RunFolder

    folder = Path(run)
    if not (folder / "run.json").is_file() and (folder / "config.json").is_file():
        return Spec.from_dict(RunFolder(run).read("config.json")["spec"]), {}
    config = RunFolder(run).config
    return Spec.from_dict(config["spec"]), config["data"]["data"]
