"""The data that a verb about a run works on."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.errors import NacreError, at_least

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
    return named(run, source, measured=False, whole=True) if source else held_out(run)


def some(run: str, source: str, n: int | None, few: int, seed: int, out: Path | None) -> "Data":
    """The examples that a verb works on, of those that are given.

    They are drawn by `seed`, n of them or a few, unless the data were named and the results are written: then they are
    all, in their order.
    """
    if n is not None:
        at_least(1, n=n)
    data = given(run, source)
    return data if n is None and source and out else data.subset(data.choice(n or few, seed))


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
    name, n = recorded["name"], recorded["n"]
    if not name:
        raise NacreError(f"{run} was trained on an array, which was not stored; name the data to use.")
    data = load_data(
        name,
        split=recorded["split"],
        size=recorded["size"],
        seed=recorded.get("seed", 0),
        attributes=recorded.get("attributes", ()),
        label=recorded.get("label", ""),
        columns=recorded.get("columns", ()),
        color=recorded.get("color", ""),
        limit=recorded.get("limit", 0),
        soften=recorded.get("soften", 0.0),
    )
    # Of images that stay encoded the fingerprint tells names and times, which a copy of the files need not keep; points
    # of toy sets are drawn, with other last digits on other processors.
    kept = not (isinstance(data, LazyData) or recorded.get("encoded", False) or data.density)
    if len(data) != n or (kept and data.fingerprint != recorded["fingerprint"]):
        now = f": {n} training examples then, {len(data)} now" if len(data) != n else ""
        raise NacreError(
            f"{name} is not what {run} was trained on{now}; restore it, or name the data to use, which may then hold "
            f"examples that were trained on."
        )
    return data


def named(run: str, source: str, *, measured: bool = True, whole: bool = False) -> "Data":
    """Data by name as the run's model takes them.

    Images get the model's size and channels, and the attributes that the run measured. Of a table the model's columns
    are kept, in its order and with its numbers of categories, and the run's labels, which new rows may lack.

    Args:
        run: The run folder, or a saved model.
        source: What `load_data` takes.
        measured: Whether attributes are needed.
        whole: Take all of a file without splits of its own, unless a part of it is named.

    Raises:
        NacreError: A column is missing, or the model does not know a category.
    """
    from nacre.data.attributes import MEASURES
    from nacre.data.pixels import CHANNELS, COLORS
    from nacre.data.sources import first_part, load_data
    from nacre.metrics.given import numbered_like

    (spec, recorded), first = facts(run), first_part(source)
    options: dict[str, Any] = {"size": spec.shape[1:]} if spec.kind == "image" else {}
    if spec.kind == "image" and first:
        names = [name for name in recorded.get("attributes", ()) if name in MEASURES]
        color = next((color for color, mode in COLORS.items() if CHANNELS[mode] == spec.shape[0]), "")
        options |= {"color": color, "attributes": tuple(names) if measured else ()}
    there, label = first.columns if first and spec.columns else (), recorded.get("label", "")
    if first and spec.kind != "sequence" and first.is_image != (spec.kind == "image"):
        kinds = ("images", "vectors") if spec.kind == "image" else ("vectors", "images")
        raise NacreError(f"{run} takes {kinds[0]} of shape {spec.shape}, and {source} holds {kinds[1]}; give others.")
    if there and first:
        if missing := [column for column in spec.columns if column not in there]:
            raise NacreError(f"{source} has no column {', '.join(missing)}; give all that {run} was trained on.")
        if label in there:
            options["label"] = label
        if len(spec.columns) < len(set(there) - {label}):
            options["columns"] = spec.columns
    data = load_data(source, **options)
    if whole and data.cut and not source.endswith((":train", ":test")):
        data = load_data(source, split="all", **options)
    return numbered_like(data, spec, source, run) if there else data


def facts(run: str) -> tuple["Spec", dict[str, Any]]:
    """What data the model of a run, or a saved one, is for, and what the run recorded of its own."""
    from nacre.api import load
    from nacre.data.spec import Spec
    from nacre.engine.run import RunFolder

    if not (Path(run) / "run.json").is_file():
        return load(run).spec, {}
    config = RunFolder(run).config
    return Spec.from_dict(config["spec"]), config["data"]["data"]
