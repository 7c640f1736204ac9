"""How likely a model finds examples, whatever it knows of their density."""

import inspect

from torch import Tensor

from nacre.errors import NacreError
from nacre.model import Model


def scores(model: Model, x: Tensor, *, draws: int = 20, seed: int = 0) -> Tensor:
    """A score of every example that is lower the stranger it is, shape (n,).

    Log p(x) or a bound on it in nats; minus |x - reconstruction|^2 for a model without a density.

    Args:
        model: A model that can score or reconstruct.
        x: Examples (n, *shape).
        draws: Draws of the bound for each example, where the model scores by one; 1 or more.
        seed: Of the draws.

    Raises:
        NacreError: The model can do neither.
    """
    if model.can("score"):
        takes = inspect.signature(type(model).score_samples).parameters
        options = {"draws": draws} if "draws" in takes else {}
        return model.score_samples(x, seed=seed, **options).cpu()
    if model.can("reconstruct"):
        return -(model.reconstruct(x, seed=seed) - model.floats(x)).cpu().square().flatten(1).sum(1)
    raise NacreError(
        f"{model.registered_name()} cannot score examples: it has no density and no encoder; train a vae or an ae."
    )
