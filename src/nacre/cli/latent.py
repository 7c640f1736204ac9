"""What the verbs of latent space share: where codes come from, and what is drawn of walks through it."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nacre.errors import NacreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from nacre.data.dataset import Data
    from nacre.latent.codes import Codes
    from nacre.model import Model


def some_codes(model: "Model", run: str, n: int, seed: int, most: int = 0) -> "Codes":
    """From n to `most` codes of held-out examples of the run's data; draws of the prior without an encoder.

    A conditional model is told the examples' labels and attributes.

    Raises:
        NacreError: There are fewer than n examples.
    """
    from nacre.cli.input import held_out
    from nacre.latent.codes import codes_of

    codes = codes_of(model, held_out(run) if model.can("encode") else None, n=most or n, seed=seed, telling=True)
    if len(codes) < n:
        raise NacreError(f"{n} codes were asked for but the data have {len(codes)} examples; ask for fewer.")
    return codes


@cache
def training(run: str, data: str = "") -> "Data":
    """The training split of the run's own data, or, where it was trained on an array, of the data given."""
    from nacre.cli.input import own_data
    from nacre.engine.run import RunFolder

    own = RunFolder(run).config["data"]["data"]["name"]
    source = own_data(run, "" if own else data)
    return source if source.split == "train" else source.sibling("train") or source


def show(
    walks: "Tensor",
    model: "Model",
    default: Path,
    grid: Path | None,
    animation: Path | None,
    titles: "Sequence[str]" = (),
    plane: bool = False,
) -> None:
    """Draw walks (rows, steps, *shape) as rows of pictures, or as pictures that move together.

    Args:
        walks: The examples.
        model: Whose examples they are.
        default: Where the picture goes if neither of the others is given.
        grid: A PNG of all steps.
        animation: A .gif, .apng or .png in which every row is one picture that moves.
        titles: Of the walks, where they are of tables; by default they are counted.
        plane: Whether the walks are the lines of a plane, of which a table shows every column by itself.
    """
    from nacre.animation import save_animation
    from nacre.cli.output import writable_picture, write
    from nacre.pictures import plane_picture, walks_picture

    if animation is not None:
        save_animation(walks.transpose(0, 1), animation, model.spec)
        print(animation)
    if grid is not None or animation is None:
        place = grid or default
        if model.spec.kind == "vector" and model.spec.size > 2:
            writable_picture(place).parent.mkdir(parents=True, exist_ok=True)
            picture = plane_picture(walks, model.spec) if plane else walks_picture(walks, model.spec, titles)
            picture.save(place)
            print(place)
        else:
            write(walks.flatten(0, 1), model.spec, None, place, columns=walks.shape[1])
