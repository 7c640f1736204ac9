"""Whether a classifier trained on samples works on real examples."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from nacre.classifier import Classifier
from nacre.data.dataset import Data
from nacre.engine import distributed
from nacre.game import Batch
from nacre.metrics.context import Context
from nacre.metrics.features import trunk
from nacre.metrics.intervals import of_mean, of_share
from nacre.metrics.labelled import label_obstacle
from nacre.metrics.probes import draw
from nacre.metrics.remembered import remembered
from nacre.metrics.result import Result
from nacre.model import seeded

CHEAP = False
REVISION = 1
STEPS, BATCH = 400, 100
FEW, SEEDS = 1_000, 2


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not context.model.can("sample"):
        return "it makes no samples"
    if reason := label_obstacle(context):
        return reason
    if context.conditional or context.extractor_named("data").classifier:
        return ""
    return "its samples have no labels, and there is no classifier of these data to label them"


def measure(context: Context) -> list[Result]:
    """`train_on_generated`, the test accuracy of a classifier trained on samples, and `augmentation`.

    `augmentation` is what samples add to few real examples, 1,000 or at most a tenth of all: the accuracy with them
    minus that without. Samples have the labels that a conditional model was asked for. Those of another model are
    labelled by the classifier of the data, and for `augmentation` by the one trained on the few real examples, so that
    no other label leaks in.

    Reference:
        Ravuri, Vinyals. Classification accuracy score for conditional generative models. 2019.
        Esteban, Hyland, Raetsch. Real-valued (medical) time series generation with recurrent conditional GANs. 2017.
    """
    pool = context.train.examples(context.n, context.seed)
    order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(context.seed))
    pool = Batch(x=pool.x.cpu()[order], y=pool.y.cpu()[order])
    return [train_on_generated(context, pool), augmentation(context, pool)]


def train_on_generated(context: Context, pool: Batch) -> Result:
    """The accuracy by samples, beside that by as many real examples of the pool."""
    x, labels, method = context.generated, context.generated_labels, "labels as asked for"
    if labels is None:
        classifier = context.extractor_named("data").classifier
        assert classifier is not None
        labels, method = classifier.classify(x).argmax(1).cpu(), "labelled by the data classifier"
    m = min(len(x), len(pool))
    scores = score(context, predicted(context, x[:m], labels[:m], context.seed))
    key = {
        "baseline": "train on real", "train": context.train.fingerprint, "held": context.held.fingerprint, "m": m,
        "n": context.n, "seed": context.seed, "steps": STEPS, "revision": REVISION,
    }  # fmt: skip
    real = remembered(key, lambda: score(context, predicted(context, pool.x[:m], pool.y[:m], context.seed)))
    n, (accuracy, f1) = len(context.real), scores
    return Result(
        "train_on_generated", accuracy, "test accuracy", "higher",
        context.protocol(f"{STEPS} steps of {BATCH}, {method}", n_real=n, n_generated=m),
        interval=of_share(accuracy, n), references={"real": real[0]}, warnings=context.warnings,
        details={"macro_f1": f1, "macro_f1 of real": real[1], "interval": f"Wilson, over {n} test examples"},
    )  # fmt: skip


def augmentation(context: Context, pool: Batch) -> Result:
    """What samples add to few real examples of the pool."""
    x, labels = context.generated[: len(pool)], context.generated_labels
    few = min(FEW, max(1, len(pool) // 10))
    truth, n = context.real.y, len(context.real)
    gains, alone, both = [], [], []
    for seed in range(SEEDS):
        index = draw(pool.y, few, seed)
        real_x, real_y = pool.x[index], pool.y[index]
        classifier = trained(context, real_x, real_y, seed)
        given = classifier.classify(x).argmax(1).cpu() if labels is None else labels[: len(x)]
        without = classifier.classify(context.real.x).argmax(1).cpu()
        having = predicted(context, torch.cat([real_x, x]), torch.cat([real_y, given]), seed)
        gains.append((having == truth).double() - (without == truth).double())
        alone.append(score(context, without))
        both.append(score(context, having))
    gain = torch.stack(gains)  # (seeds, n)
    method = "labels as asked for" if labels is not None else "labelled by the classifier of the real ones"
    mean_of = [sum(values) / SEEDS for values in (*zip(*alone, strict=True), *zip(*both, strict=True))]
    return Result(
        "augmentation", float(gain.mean()), "test accuracy gained", "higher",
        context.protocol(f"{few:,} real labels, {SEEDS} draws, {STEPS} steps of {BATCH}, {method}", n_real=n,
                         n_generated=len(x)),
        interval=of_mean(gain.mean(1), float(gain.mean(0).std()) / n**0.5), references={"no samples": 0.0},
        warnings=context.warnings,
        details={"accuracy of real alone": mean_of[0], "macro_f1 of real alone": mean_of[1],
                 "accuracy of both": mean_of[2], "macro_f1 of both": mean_of[3],
                 "draws": gain.mean(1).tolist(),
                 "interval": f"normal, over {SEEDS} draws and {n} test examples"},
    )  # fmt: skip


def trained(context: Context, x: Tensor, y: Tensor, seed: int) -> Classifier:
    """A fresh classifier, the network of the features, trained on examples (n, *shape) with labels (n,)."""
    spec = context.train.spec
    with seeded(seed), distributed.alone():
        return Classifier(spec, trunk(spec)).fit(
            Data(x, y, spec=spec), steps=STEPS, batch_size=min(BATCH, len(x)), seed=seed, progress=False, doctor="off"
        )


def predicted(context: Context, x: Tensor, y: Tensor, seed: int) -> Tensor:
    """The labels that a classifier trained on these examples gives to the real ones, (m,)."""
    return trained(context, x, y, seed).classify(context.real.x).argmax(1).cpu()


def score(context: Context, labels: Tensor) -> tuple[float, float]:
    """The accuracy of labels given to the real examples, and their F1 averaged over the classes there are."""
    truth, classes = context.real.y, len(context.train.spec.classes)
    return float((labels == truth).double().mean()), macro_f1(truth, labels, classes)


def macro_f1(truth: Tensor, labels: Tensor, classes: int) -> float:
    """The mean over classes of 2 hits / (true + named), over those that occur in either.

    Args:
        truth: Labels (n,).
        labels: Labels (n,).
        classes: Their number.
    """
    true, named = one_hot(truth, classes), one_hot(labels, classes)
    either = (true.sum(0) + named.sum(0)).double()
    return float((2 * (true * named).sum(0) / either.clamp(min=1))[either > 0].mean())
