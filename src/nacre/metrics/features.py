"""The features in which samples are compared; by default those of a small network trained once on the data."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from nacre.classifier import Classifier
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.engine import distributed
from nacre.errors import unknown
from nacre.metrics import store
from nacre.metrics.contrastive import Contrastive
from nacre.model import Model, seeded
from nacre.nets.mlp import mlp
from nacre.nets.scale import FromData
from nacre.nets.table import TableInput

NAMES = ["data", "pixels", "pca", "inception"]
FEATURES = 128
COMPONENTS = 64
FEWEST_IMAGES = 1_000
CONTRASTIVE_STEPS = 600

Network = TypeVar("Network", bound=Model)


@dataclass(frozen=True)
class Extractor:
    """Features of examples.

    Args:
        name: What they are and the hash of the weights, for protocols.
        transform: Examples (n, *shape) -> features (n, d), float32.
        classifier: The classifier of these data that they come from, if they do.
        classify: Examples -> probabilities of classes (n, classes), if the network gives some.
        digest: The hash of the weights; features of real examples are kept on disk by it, without one they are not.
        resize: The size that images are brought to, if they are.
        warnings: Where these features may mislead, one sentence each.
    """

    name: str
    transform: Callable[[Tensor], Tensor]
    classifier: Classifier | None = None
    classify: Callable[[Tensor], Tensor] | None = None
    digest: str = ""
    resize: str = ""
    warnings: tuple[str, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        """(n, *shape) -> (n, d) float64 on the CPU."""
        return self.transform(x).cpu().double()


def extractor(train: Data, name: str = "data") -> Extractor:
    """The features for data whose training split this is.

    - data: Of points in the plane the points themselves. Of labelled data 128 features of a small classifier. Of 1,000
      or more images without labels 128 features learned by telling them apart; see `nacre.metrics.contrastive`. Of
      others principal components. A linear probe with 5,000 labels is right on 97.0 % of MNIST's and 42.6 % of
      CIFAR-10's test images by contrastive features, on 90.8 % and 35.5 % by principal components.
    - pixels: The values themselves, those of vectors in standard deviations.
    - pca: At most 64 principal components of them, not whitened.
    - inception: 2,048 features of Inception v3 through torch-fidelity, of images only.

    Raises:
        NacreError: There are no such features, or not of such data.
    """
    if name == "data":
        return own(train)
    if name == "pixels":
        return pixels(train.spec)
    if name == "pca":
        return principal_components(train)
    if name == "inception":
        from nacre.metrics.inception import inception

        return inception(train.spec)
    raise unknown("extractor", name, NAMES)


def own(train: Data) -> Extractor:
    """The features learned from these data."""
    if train.spec.kind == "vector" and train.spec.size <= 2 and not train.spec.mixed:
        return Extractor("the points themselves", lambda x: x.flatten(1))
    if train.y is not None and 2 <= len(train.spec.classes) <= len(train) / 10:
        classifier, digest = trained_classifier(train)
        name = f"classifier features {digest}"
        return Extractor(name, classifier.embed, classifier, classifier.classify, digest)
    if train.spec.kind == "image" and len(train) >= FEWEST_IMAGES:
        network, digest = trained_contrastive(train)
        return Extractor(f"contrastive features {digest}", network.embed, digest=digest)
    return principal_components(train)


def pixels(spec: Spec) -> Extractor:
    """The values as they are; a vector's columns are centred and divided by their standard deviations."""
    if spec.kind == "image":
        return Extractor("pixels", lambda x: x.flatten(1))
    if spec.mixed:
        table = TableInput(spec)
        return Extractor("standardised values and categories", lambda x: table(x.cpu()))
    return Extractor("standardised values", lambda x: FromData(spec)(x.cpu()).flatten(1))


def principal_components(train: Data) -> Extractor:
    """At most 64 principal components of `pixels`, of 10,000 training examples."""
    values = pixels(train.spec).transform
    x = values(train.examples(10_000).x.cpu())
    center = x.mean(0)
    with seeded(0):
        _, _, directions = torch.pca_lowrank(x - center, q=min(COMPONENTS, *x.shape), center=False, niter=8)
    digest = hashlib.sha256(directions.contiguous().numpy().tobytes()).hexdigest()[:8]
    name = f"{directions.shape[1]} principal components {digest}"
    return Extractor(name, lambda x: (values(x.cpu()) - center) @ directions, digest=digest)


def trained_classifier(train: Data) -> tuple[Classifier, str]:
    """The classifier of these data and its hash, from the cache or trained now."""
    recipe = {"features": FEATURES, "steps": steps(train), "batch_size": min(128, len(train)), "seed": 0, "revision": 1}
    return trained(train, lambda spec: Classifier(spec, trunk(spec)), str(FEATURES), recipe)


def trained_contrastive(train: Data) -> tuple[Contrastive, str]:
    """The network that tells these images apart and its hash, from the cache or trained now."""
    recipe = {"features": FEATURES, "steps": CONTRASTIVE_STEPS, "batch_size": 128, "seed": 0, "revision": 1}
    return trained(train, lambda spec: Contrastive(spec, trunk(spec)), f"contrastive-{FEATURES}", recipe)


def trained(train: Data, build: Callable[[Spec], Network], kind: str, recipe: dict[str, Any]) -> tuple[Network, str]:
    """A network trained on these data and its hash, from the cache or trained now.

    The weights are always those that were saved, so that a first evaluation and a later one agree to the last bit.

    Args:
        train: The data.
        build: Makes the untrained network.
        kind: Its name in the cache.
        recipe: How it is trained; what was made by another recipe is not used.
    """
    from safetensors.torch import load

    name = f"{train.fingerprint}-{kind}"
    content = store.read(name)
    if content is None or made_by(content) != recipe:
        content = train_network(train, build, recipe)
        store.keep(name, content)
    with seeded(0):
        network = build(train.spec)
    network.load_state_dict(load(content))
    return network.eval(), hashlib.sha256(content).hexdigest()[:8]


def made_by(content: bytes) -> Any:
    """The recipe in the head of a safetensors file: 8 bytes of length, then JSON."""
    head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(head.get("__metadata__", {}).get("recipe", "null"))


def train_network(train: Data, build: Callable[[Spec], Model], recipe: dict[str, Any]) -> bytes:
    """Train a network by the recipe and give its weights as the bytes of a safetensors file."""
    from safetensors.torch import save

    options = {name: recipe[name] for name in ("steps", "batch_size", "seed")}
    with seeded(recipe["seed"]), distributed.alone():
        network = build(train.spec).fit(train, progress=False, doctor="off", **options)
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
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
        if spec.mixed:
            table = TableInput(spec)
            return nn.Sequential(table, *mlp([table.width, 2 * FEATURES, FEATURES]), nn.ReLU())
        return nn.Sequential(FromData(spec), nn.Flatten(), *mlp([spec.size, 2 * FEATURES, FEATURES]), nn.ReLU())
    channels, height, width = spec.shape
    layers: list[nn.Module] = [FromData(spec)]
    while min(height, width) > 7:
        wider = 32 if len(layers) == 1 else 64
        layers += [nn.Conv2d(channels, wider, 4, stride=2, padding=1), nn.ReLU()]
        channels, height, width = wider, height // 2, width // 2  # (n, wider, height / 2, width / 2)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width, FEATURES), nn.ReLU())
