"""How much a classifier gains from a model's encoder when all layers learn on."""

from typing import Any

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.engine import distributed
from nacre.few_labels import GROWTH, MANY, PER, STEPS, transfer, usual_shares
from nacre.metrics.context import Context
from nacre.metrics.intervals import of_mean
from nacre.metrics.labelled import Task, label_obstacle
from nacre.metrics.result import Result
from nacre.model import Model, seeded

CHEAP = False
ON_REQUEST = True
DRAWS = {100: 10, 1_000: 5, 10_000: 2}
DROP_INPUT = 0.3


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if type(context.model).features is Model.features:
        return "it has no encoder that can be trained on"
    return label_obstacle(context)


def measure(context: Context) -> list[Result]:
    """Test accuracies `finetune_100`, `finetune_1000` and `finetune_all`, beside the same network from random weights.

    A linear head on the encoder is trained as `nacre.transfer` does: alone at first, then all layers with it; 30 %
    of the input are left out in every step, and nothing of it with more than 20,000 labels. The model itself is
    left as it is. The reference is an untrained model of the same configuration whose layers all learn at the
    head's rate from the first step. 100 labels are drawn ten times, 1,000 five times, 10,000 twice.
    `finetune_gain_100` ... is the mean over the draws by how much the model is ahead of it.

    Reference:
        Hinton, Salakhutdinov. Reducing the dimensionality of data with neural networks. 2006.
    """
    task, model = Task.of(context), context.model
    with seeded(context.seed):
        untrained = type(model)(model.spec, **model.hparams).to(model.device)
        untrained.begin(context.train.to(model.device))
    shown = Data(task.x, task.y, spec=context.train.spec)

    def accuracies(start: Model, **options: Any) -> dict[str, list[float]]:
        def predict(index: Tensor, seed: int) -> Tensor:
            drop_input = DROP_INPUT if len(index) <= MANY else 0.0
            with seeded(seed), distributed.alone():
                classifier = transfer(start, shown.subset(index), drop_input=drop_input, seed=seed, **options)
            return classifier.classify(task.test_x).argmax(1).cpu()

        return task.accuracies(predict, DRAWS)

    own, random = accuracies(model), accuracies(untrained, frozen=0.0, player_lr={})
    few, many = (usual_shares(labels)[0] for labels in (MANY, MANY + 1))
    method = (
        f"{STEPS} (labels / {PER})^{GROWTH} steps, at least {STEPS}, the encoder frozen for {few:.0%} of them "
        f"({many:.0%} beyond {MANY:,} labels)"
    )
    reached = task.results("finetune", context, own, {"random weights": random}, "the encoder", method)
    return reached + [gain(result, own[name], random[name]) for result, name in zip(reached, own, strict=True)]


def gain(result: Result, own: list[float], random: list[float]) -> Result:
    """By how much the accuracies of a result are ahead of those from random weights on the same draws."""
    ahead = torch.tensor(own) - torch.tensor(random)
    return Result(
        result.name.replace("finetune", "finetune_gain"), float(ahead.mean()), "test accuracy", "higher",
        result.protocol, of_mean(ahead) if len(own) > 1 else None, warnings=result.warnings,
        details={"draws": ahead.tolist(), "interval": f"normal, over {len(own)} draws of the labels"},
    )  # fmt: skip
