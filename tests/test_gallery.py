"""The gallery has a picture of every model."""

import re
from pathlib import Path

from nacre.registry import names

DOCS = Path(__file__).parent.parent / "docs"
WRITTEN = {"tabular-vae": "csv", "lstm": "txt", "gs-gan": "txt"}


def test_every_model_is_drawn_and_shown():
    page, script = (DOCS / "gallery.md").read_text(), (DOCS / "gallery.sh").read_text()
    assert set(re.findall(r"^draw (\S+)", script, re.M)) == set(names())
    assert set(re.findall(r"\(gallery/(\S+)\.png\)", page)) == set(names()) - set(WRITTEN)
    for name in set(names()) - set(WRITTEN):
        assert (DOCS / "gallery" / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    for name, suffix in WRITTEN.items():
        assert (DOCS / "gallery" / f"{name}.{suffix}").read_text().strip() in page
