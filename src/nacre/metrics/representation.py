"""How much of the labels a simple classifier reads from a model's codes: a linear probe and nearest neighbours."""

from collections.abc import Sequence

from nacre.metrics.codes import baselines, code_name, has_codes, model_codes
from nacre.metrics.context import Context
from nacre.metrics.labelled import Task, label_obstacle
from nacre.metrics.probes import JUDGES, standardised
from nacre.metrics.remembered import remembered
from nacre.metrics.result import Result

CHEAP = False
REVISION = 2
METHODS = {
    "probe": "logistic regression, penalty chosen on held labels",
    "knn": "1 or 5 nearest neighbours, chosen on held labels",
    "svm": "linear support vector machine, penalty chosen on held labels",
}


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not has_codes(context.model):
        return "it has no encoder, and no discriminator or critic whose activations could stand for one"
    return label_obstacle(context)


def measure(context: Context) -> list[Result]:
    """Test accuracies `probe_100`, `probe_1000`, `probe_all`, `knn_100` ..., named by the labels they were given.

    The classifiers see at most n training examples. Each has beside it what the same classifier makes of the pixels, of
    as many principal components as the code has values, and of k-means features, on the same draws of labels.

    Reference:
        Alain, Bengio. Understanding intermediate layers using linear classifier probes. 2016.
        Coates, Lee, Ng. An analysis of single-layer networks in unsupervised feature learning. 2011 (k-means).
    """
    return judged(context, ("probe", "knn"))


def judged(context: Context, kinds: Sequence[str]) -> list[Result]:
    """The results of some kinds of classifiers: probe, knn or svm."""
    task = Task.of(context)
    train = model_codes(context.model, task.x, context.seed)
    test = model_codes(context.model, task.test_x, context.seed)
    features = code_name(context.model, train.shape[1])
    results = []
    for kind in kinds:
        own = accuracies(kind, task, (train, test))
        references = {}
        for name, (recipe, make) in baselines(task.x.dim() == 4, train.shape[1], context.seed).items():
            key = {
                "baseline": name, "recipe": recipe, "kind": kind, "train": context.train.fingerprint,
                "held": context.held.fingerprint, "n": context.n, "seed": context.seed, "revision": REVISION,
                "labels": list(task.counts),
            }  # fmt: skip
            references[name] = remembered(
                key, lambda make=make, kind=kind: accuracies(kind, task, make(task.x, task.test_x))
            )
        results += task.results(kind, context, own, references, features, METHODS[kind])
    return results


def accuracies(kind: str, task: Task, pair: tuple) -> dict[str, list[float]]:
    """The test accuracies of a kind of classifier on features of the training and the test examples."""
    train, test = pair if kind == "knn" else standardised(*pair)
    return task.accuracies(lambda index, _: JUDGES[kind](train[index], task.y[index], test, task.classes))
