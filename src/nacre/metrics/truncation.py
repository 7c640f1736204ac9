"""What truncating the prior buys and costs: precision gained and recall lost from one threshold to the next."""

from itertools import pairwise

from nacre.latent.codes import draws_normals
from nacre.metrics import embedded
from nacre.metrics.context import Context
from nacre.metrics.precision_recall import NEIGHBOURS, precision_recall
from nacre.metrics.result import Result

CHEAP = False
ON_REQUEST = True
THRESHOLDS = (1.0, 0.7, 0.4)
LARGEST = 4_000


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not context.model.can("sample") or not draws_normals(context.model):
        return "it does not sample from a normal prior, so none can be truncated"
    return embedded.obstacle(context, least=NEIGHBOURS + 1)


def measure(context: Context) -> list[Result]:
    """The least rise of precision and the least fall of recall over the thresholds none, 1, 0.7 and 0.4 of |z|.

    Both positive: truncation trades variety for quality monotonically. At most 4,000 examples and samples; the
    references are precision and recall at each threshold.

    Reference:
        Brock, Donahue, Simonyan. Large scale GAN training for high fidelity natural image synthesis. 2019.
        arXiv 1809.11096. Section 3.1.
    """
    compared = context.embedded
    real = compared.real[:LARGEST]
    found = {"|z| as drawn": precision_recall(real, compared.generated[: len(real)])}
    for threshold in THRESHOLDS:
        samples = context.sample(len(real), context.seed, truncation=threshold).x
        found[f"|z| at most {threshold:g}"] = precision_recall(real, context.extractor(samples))
    thresholds = ", ".join(f"{t:g}" for t in THRESHOLDS)
    return [
        Result(
            f"truncation_{name}",
            min(sign * (after[i] - before[i]) for before, after in pairwise(found.values())),
            f"{name} {moved}, least of {len(THRESHOLDS)} steps",
            "higher",
            compared.protocol(f"k = {NEIGHBOURS}, |z| at most {thresholds}", len(real)),
            references={threshold: values[i] for threshold, values in found.items()},
            warnings=compared.warnings,
        )
        for i, (name, moved, sign) in enumerate([("precision", "gained", 1), ("recall", "lost", -1)])
    ]
