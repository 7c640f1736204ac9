"""Auxiliary classifier GAN: the discriminator also names the class, and the generator is told it."""

from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn.functional import log_softmax

from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least
from nacre.model import inference
from nacre.models.gans.cgan import CGAN
from nacre.nets.heads import Reading


class ACGAN(CGAN):
    """The game of `gan` for G(z, c) and D(x), both of which also want the class read from the example by D's trunk.

    With L_C = -E[log P(c|x)] - E[log P(c|G(z, c))], the discriminator minimises its cost in the game + L_C, and the
    generator its own cost + weight * L_C, of which it moves the second term. The weakness is known: the generator is
    also paid for examples that are easy to classify, so that within a class samples vary less than the data, the more
    so the larger the weight and the number of classes.

    Algorithm: section 3, equations 2 and 3.

    Args:
        spec: The data, with classes or attributes.
        latent: Size of z alone, 1 or more.
        class_weight: The generator's weight of L_C, 0 or more; 1 in the paper.

    Shapes:
        sample: n -> (n, *shape). decode: (n, latent) -> (n, *shape). Both take `labels` and `attributes`. classify:
        (n, *shape) -> (n, classes).

    Departures:
        Attributes, where there are any, are read as well, with half the squared error of their standardised values.
        The networks and the non-saturating cost of `gan`; no dropout.

    Example:
        >>> import nacre
        >>> model = nacre.create("acgan", nacre.load_data("digits").spec, hidden=(32,))
        >>> model.sample(3, seed=0, labels=[7, 7, 1]).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Odena, Olah, Shlens. Conditional image synthesis with auxiliary classifier GANs. 2017. arXiv 1610.09585.
    """

    title: ClassVar[str] = "Auxiliary classifier GAN"
    paper: ClassVar[str] = "Odena et al. 2017, equations 2 and 3"

    def __init__(self, spec: Spec, class_weight: float = 1.0, **inherited: Any) -> None:
        at_least(0, class_weight=class_weight)
        self.class_weight = class_weight
        super().__init__(spec, **inherited)

    def make_discriminator(self) -> nn.Module:
        """D: (n, *shape) -> (n, 1 + classes + attributes)."""
        if self.pack > 1:
            raise NacreError("acgan reads the class of each example by itself; use --pack 1.")
        judge = self.scorer()
        return Reading(judge, nn.Linear(judge.features, len(self.spec.classes) + len(self.spec.attributes)))

    def score(self, x: Tensor, told: Tensor | None) -> Tensor:
        """The score, the logits of the classes and the attributes as D reads them, (n, 1 + classes + attributes)."""
        return self.discriminator(self.seen(x))

    def further(self, real: Tensor | None, fake: Tensor, told: Tensor | None) -> dict[str, Tensor]:
        """L_C, or its weighted part that the generator moves."""
        assert told is not None
        cost = self.misread(fake, told)
        return {"class": self.class_weight * cost if real is None else cost + self.misread(real, told)}

    def misread(self, said: Tensor, told: Tensor) -> Tensor:
        """-E[log P(c|x)] of what the discriminator said of examples and what they are; 0 where that is unknown."""
        k, a = len(self.spec.classes), len(self.spec.attributes)
        label, _, values, known = told.split([k, min(k, 1), a, a], 1)
        _, logits, estimates = said.split([1, k, a], 1)
        error = known * (estimates - values).square() / 2
        return (error.sum(1) - (label * log_softmax(logits, 1)).sum(1)).mean()

    @inference
    def classify(self, x: Tensor) -> Tensor:
        """The probabilities of the classes as the discriminator sees them, (n, classes)."""
        return self.discriminator(x)[:, 1 : 1 + len(self.spec.classes)].softmax(1)
