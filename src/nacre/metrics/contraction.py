"""How far a code moves when its example does: the norm of the encoder's derivative."""

import torch

from nacre.losses.jacobian import hutchinson_jacobian, signs
from nacre.metrics.context import Context
from nacre.metrics.intervals import of_mean
from nacre.metrics.result import Result
from nacre.model import Model, seeded

CHEAP = False
ON_REQUEST = True
MOST, CHUNK, PROBES = 1_000, 250, 100


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return "" if type(context.model).features is not Model.features else "its codes have no derivative"


def measure(context: Context) -> list[Result]:
    """`jacobian_norm`, the mean over examples of the Frobenius norm |dz/dx|_F of code by example.

    Reference:
        Rifai, Vincent, Muller, Glorot, Bengio. Contractive auto-encoders. 2011.
    """
    model = context.model
    x = context.real.x[:MOST].to(model.device)
    parts = []
    with seeded(context.seed), model.evaluating():
        for part in x.split(CHUNK):
            with torch.no_grad():
                probes = signs(PROBES, model.features(part))
            parts.append(hutchinson_jacobian(model.features, part, probes).detach())
    norms = torch.cat(parts).cpu().double().sqrt()
    return [
        Result(
            "jacobian_norm",
            float(norms.mean()),
            "of code by example",
            "",
            context.protocol(f"Frobenius norm by {PROBES} random probes", n_real=len(norms)),
            interval=of_mean(norms),
            warnings=context.warnings,
        )
    ]
