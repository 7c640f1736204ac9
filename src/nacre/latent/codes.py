"""Where the latent codes come from that a tool works on."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nacre.errors import NacreError
from nacre.model import Model, seeded
from nacre.nets.conditions import told

if TYPE_CHECKING:
    from nacre.data.dataset import Data


@dataclass(frozen=True)
class Codes:
    """Latent codes, with the labels of the examples they were encoded from.

    Args:
        z: Shape (n, latent).
        y: int64 (n,); None for unlabelled data and for draws of a prior.
        told: What a conditional model was told of the examples beside them, as keywords of `encode` and `decode`.
    """

    z: Tensor
    y: Tensor | None = None
    told: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.z)

    def take(self, index: Tensor) -> "Codes":
        """The codes of an index, or of a mask, (n,), with their labels."""
        return Codes(self.z[index], None if self.y is None else self.y[index])


def codes_of(
    model: Model, data: "Data | None" = None, *, n: int = 2_000, seed: int = 0, telling: bool = False
) -> Codes:
    """Codes to work on: of examples where the model has an encoder, else draws of its prior.

    Args:
        model: A model that can decode.
        data: What to encode; not needed for a model without an encoder.
        n: The most codes, 1 or more.
        seed: Draws the examples or the codes.
        telling: Whether a conditional model is told the examples' labels and attributes.

    Raises:
        NacreError: The model cannot decode, or it has an encoder and there are no data.
    """
    if not model.can("decode"):
        raise NacreError(f"{model.registered_name()} has no latent space that decodes; `nacre models` shows which do.")
    if n < 1:
        raise NacreError(f"n is {n}; ask for at least 1 code.")
    if not model.can("encode"):
        with seeded(seed):
            return Codes(model.noise(n))
    if data is None:
        raise NacreError(f"{model.registered_name()} takes its codes from examples; give data to encode.")
    batch = data.examples(n, seed)
    y = batch.get("y")
    beside = told(model, batch, data.spec) if telling else {}
    return Codes(model.encode(batch.x, **beside), None if y is None else y.to(model.device), beside)


def draws_normals(model: Model) -> bool:
    """Whether the model's noise is N(0, I), which is tried out on two draws, so that no model has to declare it."""
    if not getattr(model, "latent", 0):
        return False
    with seeded(0):
        z = model.noise(2)
    with seeded(0):
        return torch.equal(z, torch.randn(2, model.latent, device=model.device))


def has_prior(model: Model) -> bool:
    """Whether N(0, I) is the law of the model's codes: whether it samples by decoding normal draws.

    It is tried out on two draws.
    """
    if not (model.can("sample") and model.can("decode") and draws_normals(model)):
        return False
    with seeded(0):
        z = model.noise(2)
    return torch.equal(model.decode(z), model.sample(2, seed=0))
