"""How much a classifier gains from a model's encoder when all layers learn on."""

from torch import Tensor

from nacre.classifier import transfer
from nacre.data.dataset import Data
from nacre.engine import distributed
from nacre.metrics.context import Context
from nacre.metrics.labelled import Task, label_obstacle
from nacre.metrics.result import Result
from nacre.model import Model, seeded

CHEAP = False
ON_REQUEST = True
STEPS = 500
FROZEN = 0.3


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if type(context.model).features is Model.features:
        return "it has no encoder that can be trained on"
    return label_obstacle(context)


def measure(context: Context) -> list[Result]:
    """Test accuracies `finetune_100`, `finetune_1000` and `finetune_all`, beside the same network from random weights.

    A linear head on the encoder learns alone for 3 steps of 10, then all layers with it; the model itself is left as
    it is. The reference is an untrained model of the same configuration, trained in the same way.

    Reference:
        Hinton, Salakhutdinov. Reducing the dimensionality of data with neural networks. 2006.
    """
    task, model = Task.of(context), context.model
    with seeded(context.seed):
        untrained = type(model)(model.spec, **model.hparams).to(model.device)
        untrained.begin(context.train.to(model.device))
    shown = Data(task.x, task.y, spec=context.train.spec)

    def accuracies(start: Model) -> dict[str, list[float]]:
        def predict(index: Tensor, seed: int) -> Tensor:
            steps = {"steps": STEPS, "frozen": FROZEN, "seed": seed}
            with seeded(seed), distributed.alone():
                classifier = transfer(start, shown.subset(index), **steps)
            return classifier.classify(task.test_x).argmax(1).cpu()

        return task.accuracies(predict)

    own, random = accuracies(model), accuracies(untrained)
    method = f"{STEPS} steps, the encoder frozen for {FROZEN:.0%} of them"
    return task.results("finetune", context, own, {"random weights": random}, "the encoder", method)
