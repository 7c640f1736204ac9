"""The data that a verb about a run works on."""

from typing import TYPE_CHECKING

from nacre.errors import NacreError

if TYPE_CHECKING:
    from nacre.data.dataset import Data
    from nacre.model import Model


def held_out(run: str, source: str = "") -> "Data":
    """The data asked for, or held-out examples of the run's own data set, or, where there are none, all it saw.

    Raises:
        NacreError: The run was trained on an array, which only its owner has.
    """
    data = own_data(run, source)
    return data if source else data.sibling("test") or data


def given(run: str, source: str, model: "Model") -> "Data":
    """All of the data asked for, or held-out examples of the run's own.

    A file without splits of its own is taken as a whole, unless a part of it is named. Of a table the columns are kept
    that the run was told to keep, its labels are taken off, and the columns get the order, and their categories the
    numbers, that the model was trained on.

    Raises:
        NacreError: The model does not know a column or a category.
    """
    from nacre.data.sources import load_data
    from nacre.engine.run import RunFolder
    from nacre.metrics.given import numbered_like

    if not source:
        return held_out(run)
    data, options = load_data(source), {}
    if data.cut and not source.endswith((":train", ":test")):
        options["split"] = "all"
    if data.spec.columns:
        recorded = RunFolder(run).config["data"]["data"]
        options["columns"] = recorded.get("columns", ())
        # New rows may come without labels.
        options["label"] = label if (label := recorded.get("label", "")) in data.spec.columns else ""
    data = load_data(source, **options) if any(options.values()) else data
    return numbered_like(data, model.spec)


def own_data(run: str, source: str = "") -> "Data":
    """The data asked for, or those that the run was trained on.

    Raises:
        NacreError: The run was trained on an array, which only its owner has.
    """
    from nacre.data.sources import load_data
    from nacre.engine.run import RunFolder

    if source:
        return load_data(source)
    recorded = RunFolder(run).config["data"]["data"]
    if not recorded["name"]:
        raise NacreError(f"{run} was trained on an array, which was not stored; name the data to use.")
    return load_data(
        recorded["name"],
        split=recorded["split"],
        size=recorded["size"],
        attributes=recorded.get("attributes", ()),
        label=recorded.get("label", ""),
        columns=recorded.get("columns", ()),
        limit=recorded.get("limit", 0),
        soften=recorded.get("soften", 0.0),
    )
