import pytest
import torch
from PIL import Image

import nacre
from nacre.animation import save_animation
from nacre.data.spec import Spec


@pytest.mark.parametrize("suffix", ["gif", "apng", "png"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_frames_size_and_time(tmp_path, suffix, channels):
    """Five frames there and three back, three images of 4 x 6 in a row, enlarged by a whole number."""
    frames = torch.rand(5, 3, channels, 4, 6)
    save_animation(frames, tmp_path / "sub" / f"x.{suffix}", Spec.image(channels, 4, 6), columns=3)
    with Image.open(tmp_path / "sub" / f"x.{suffix}") as image:
        assert image.n_frames == 8
        assert image.width == 32 * 20 and image.height == 4 * 32
        assert image.info["loop"] == 0
        image.seek(1)
        assert image.info["duration"] == 100


def test_forwards_only_and_the_pixels(tmp_path):
    frames = torch.rand(4, 1, 3, 5, 5)
    save_animation(frames, tmp_path / "x.apng", Spec.image(3, 5, 5), back=False, rate=20.0)
    with Image.open(tmp_path / "x.apng") as image:
        assert image.n_frames == 4
        for i, frame in enumerate(frames):
            image.seek(i)
            red = image.convert("RGB").getpixel((0, 0))[0]
            assert red == round(float(frame[0, 0, 0, 0]) * 255)


def test_vectors_move_within_fixed_axes(tmp_path):
    for d, size in ((2, (400, 400)), (5, (780, 400))):  # points; a histogram of every column
        save_animation(torch.randn(3, 20, d), tmp_path / f"{d}.gif", Spec((d,)))
        with Image.open(tmp_path / f"{d}.gif") as image:
            assert image.n_frames == 4 and image.size == size


def test_other_suffixes_and_places(tmp_path):
    frames = torch.rand(2, 1, 1, 4, 4)
    with pytest.raises(nacre.NacreError, match=r"\.gif"):
        save_animation(frames, tmp_path / "x.mp4", Spec.image(1, 4, 4))
    (tmp_path / "file").write_text("")
    with pytest.raises(nacre.NacreError, match="cannot write"):
        save_animation(frames, tmp_path / "file" / "x.gif", Spec.image(1, 4, 4))
