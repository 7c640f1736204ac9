"""The features in which samples are compared: those of a small classifier, trained once on the data's own labels."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nacre.classifier import Classifier
from nacre.data.dataset import Data
from nacre.data.download import cache_folder
from nacre.data.spec import Spec
from nacre.engine import distributed
from nacre.engine.checkpoint import write_atomically
from nacre.errors import NacreError, unknown
from nacre.model import seeded
from nacre.nets.mlp import mlp
from nacre.nets.scale import FromData

FEATURES = 128
COMPONENTS = 64


@dataclass(frozen=True)
class Extractor:
    """Features of examples.

    Args:
        name: What they are, for protocols.
        transform: Examples (n, *shape) -> features (n, d).
        classifier: The classifier they come from, if they do.
    """

    name: str
    transform: Callable[[Tensor], Tensor]
    classifier: Classifier | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """(n, *shape) -> (n, d) float64 on the CPU."""
        return self.transform(x).cpu().double()


def extractor(train: Data, name: str = "data") -> Extractor:
    """The features for data whose training split this is.

    Points in the plane are their own features. Labelled data have 128 features of a small classifier; others have
    their principal components.
    """
    if name != "data":
        raise unknown("extractor", name, ["data"])
    if train.spec.kind == "vector" and train.spec.size <= 2:
        return Extractor("the points themselves", lambda x: x.flatten(1))
    if train.y is not None and 2 <= len(train.spec.classes) <= len(train) / 10:
        classifier, digest = trained_classifier(train)
        return Extractor(f"classifier features {digest}", classifier.embed, classifier)
    return principal_components(train)


def principal_components(train: Data) -> Extractor:
    """At most 64 principal components, of 10,000 training examples."""
    x = train.examples(10_000).x.cpu().flatten(1)
    center = x.mean(0)
    with seeded(0):
        _, _, directions = torch.pca_lowrank(x - center, q=min(COMPONENTS, *x.shape), center=False, niter=8)
    digest = hashlib.sha256(directions.contiguous().numpy().tobytes()).hexdigest()[:8]
    return Extractor(
        f"{directions.shape[1]} principal components {digest}", lambda x: (x.cpu().flatten(1) - center) @ directions
    )


def trained_classifier(train: Data) -> tuple[Classifier, str]:
    """The classifier of these data and its hash, from the cache or trained now.

    The weights are always those that were saved, so that a first evaluation and a later one agree to the last bit.
    """
    path = cache_folder() / "features" / f"{train.fingerprint}-{FEATURES}.safetensors"
    recipe = {"features": FEATURES, "steps": steps(train), "batch_size": min(128, len(train)), "seed": 0, "revision": 1}
    content = cached(path, recipe)
    if content is None:
        content = train_classifier(train, recipe)
        # A cache that cannot be written costs time, not the evaluation.
        with suppress(NacreError, OSError):
            write_atomically(path.with_suffix(".sha256"), hashlib.sha256(content).hexdigest().encode())
            write_atomically(path, content)
    from safetensors.torch import load

    with seeded(0):
        classifier = Classifier(train.spec, trunk(train.spec))
    classifier.load_state_dict(load(content))
    return classifier.eval(), hashlib.sha256(content).hexdigest()[:8]


def cached(path: Path, recipe: dict[str, Any]) -> bytes | None:
    """The file's content, if it is whole and made by this recipe."""
    from safetensors import safe_open

    try:
        content, digest = path.read_bytes(), path.with_suffix(".sha256").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    if hashlib.sha256(content).hexdigest() != digest:
        return None
    with safe_open(path, "pt") as file:
        return content if (file.metadata() or {}).get("recipe") == json.dumps(recipe) else None


def train_classifier(train: Data, recipe: dict[str, Any]) -> bytes:
    """Train the classifier by the recipe and give its weights as the bytes of a safetensors file."""
    from safetensors.torch import save

    options = {name: recipe[name] for name in ("steps", "batch_size", "seed")}
    with seeded(recipe["seed"]), distributed.alone():
        classifier = Classifier(train.spec, trunk(train.spec)).fit(train, progress=False, **options)
    state = {name: value.detach().cpu().contiguous() for name, value in classifier.state_dict().items()}
    return save(state, {"recipe": json.dumps(recipe)})


def steps(train: Data) -> int:
    """Two passes over the data, but 800 to 2,000 steps of 128 examples."""
    return min(max(2 * len(train) // 128, 800), 2_000)


def trunk(spec: Spec) -> nn.Sequential:
    """The network of the features: strided convolutions for images of 16 pixels and more, else dense layers.

    Shapes:
        (n, *shape) -> (n, 128), not negative.
    """
    if spec.kind != "image" or min(spec.shape[1:]) < 16:
        return nn.Sequential(FromData(spec), nn.Flatten(), *mlp([spec.size, 2 * FEATURES, FEATURES]), nn.ReLU())
    channels, height, width = spec.shape
    layers: list[nn.Module] = [FromData(spec)]
    while min(height, width) > 7:
        wider = 32 if len(layers) == 1 else 64
        layers += [nn.Conv2d(channels, wider, 4, stride=2, padding=1), nn.ReLU()]
        channels, height, width = wider, height // 2, width // 2  # (n, wider, height / 2, width / 2)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width, FEATURES), nn.ReLU())
