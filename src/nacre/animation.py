"""Moving pictures: GIF and animated PNG."""

from pathlib import Path

from torch import Tensor

from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.pictures import picture

FORMATS = {".gif": "GIF", ".apng": "PNG", ".png": "PNG"}


def save_animation(
    frames: Tensor, path: str | Path, spec: Spec, columns: int | None = None, *, rate: float = 10.0, back: bool = True
) -> None:
    """Write examples that change as a picture that moves, without end: a GIF, or an animated PNG with all its colours.

    Args:
        frames: Shape (frames, n, *spec.shape); the n examples of a frame are shown together.
        path: Ends in .gif, .apng or .png; its folder is made.
        spec: What the examples are.
        columns: Images per row.
        rate: Frames per second, positive; a GIF counts in hundredths of a second.
        back: Whether the frames follow again backwards, so that nothing jumps.

    Raises:
        NacreError: The suffix is another, or the place cannot be written.
    """
    path = Path(path)
    kind = animated(path)
    pictures = [
        picture(frame, spec, columns, None if spec.kind == "image" else frames.flatten(0, 1)) for frame in frames
    ]
    pictures += pictures[-2:0:-1] if back else []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        first, *rest = pictures
        first.save(path, kind, save_all=True, append_images=rest, duration=round(1000 / rate), loop=0)
    except OSError as error:
        raise NacreError(f"cannot write {error.filename or path}: {error.strerror}; choose another place.") from error


def animated(path: Path) -> str:
    """The format of a moving picture by its suffix.

    Raises:
        NacreError: It is no GIF and no PNG.
    """
    if path.suffix.lower() not in FORMATS:
        raise NacreError(f"the moving picture {path} must end in .gif, .apng or .png.")
    return FORMATS[path.suffix.lower()]
