"""How well linear support vector machines classify by a model's codes."""

from nacre.metrics import representation
from nacre.metrics.context import Context
from nacre.metrics.result import Result

CHEAP = False
ON_REQUEST = True


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return representation.obstacle(context)


def measure(context: Context) -> list[Result]:
    """Test accuracies `svm_100`, `svm_1000` and `svm_all`: one machine per class, squared hinge, L2 penalty.

    It is the probe of the literature on the features of discriminators; otherwise as `representation`.

    Reference:
        Radford, Metz, Chintala. Unsupervised representation learning with deep convolutional generative adversarial
        networks. 2016 (section 5.1).
    """
    return representation.judged(context, ("svm",))
