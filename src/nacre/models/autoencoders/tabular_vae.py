"""Tabular VAE: tables of numbers and categories, with missing values, and labels where there are some."""

from typing import ClassVar

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import at_least
from nacre.model import inference
from nacre.models.autoencoders.cvae import CVAE, Told
from nacre.nets.conditions import Conditions
from nacre.nets.mlp import mlp
from nacre.nets.scale import unrounded
from nacre.nets.table import TableInput, TableLikelihood


class TabularVAE(CVAE):
    r"""Maximise E_{q(z|x,y)}[sum_j log p(x_j|z, y)] - KL(q(z|x, y) || N(0, I)) over the columns x_j of a table.

    Every column is one of its options by a softmax: the categories, the bins of a number, or missing. A number is
    drawn uniformly inside its bin, so that any shape of a distribution, spikes too, can be told.

    Algorithm: the TVAE of section 4.5, with another likelihood of numbers.

    Args:
        spec: A table, or any other data as rows of numbers.
        latent: Size of z, 1 or more.
        hidden: Units of the hidden layers, from the data inwards.
        bins: Of a number, 2 or more.
        hiding: Share of the labels that are hidden in training, in [0, 1).
        beta: Weight of the KL; 1 is the bound itself.
        kl_warmup: Share of training over which the weight of the KL rises from 0, in [0, 1).
        activation: Of the hidden layers.

    Shapes:
        sample: (n, *shape), category numbers and NaN for missing values among them. encode: (n, *shape) -> (n, latent).

    Departures:
        Numbers are binned by their quantiles instead of a mixture of normals with a mode each; missing is an option of
        a column, where the original refuses it; labels condition the table, where the original has them as a column;
        the bound is not weighted (the original counts the reconstruction twice).

    Example:
        >>> import nacre
        >>> model = nacre.create("tabular-vae", nacre.load_data("digits").spec, latent=4, bins=8)
        >>> model.sample(3, seed=0, labels=[7, 7, 1]).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Xu, Skoularidou, Cuesta-Infante, Veeramachaneni. Modeling tabular data using conditional GAN. 2019.
        arXiv 1907.00503.
    """

    title: ClassVar[str] = "Tabular VAE"
    paper: ClassVar[str] = "Xu et al. 2019, section 4.5"
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "schedule": "cosine", "batch_size": 500}
    mixed: ClassVar[bool] = True
    smooth: ClassVar[bool] = False

    def __init__(
        self,
        spec: Spec,
        latent: int = 32,
        hidden: tuple[int, ...] = (256, 256),
        bins: int = 50,
        hiding: float = 0.1,
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        activation: str = "relu",
    ) -> None:
        at_least(1, latent=latent, hidden=hidden)
        super().__init__(spec, latent, (), network="dense", hiding=hiding, beta=beta, kl_warmup=kl_warmup)
        told = self.conditions.width
        self.latents = Told(latent, told)
        self.table = TableInput(spec)
        self.likelihood = TableLikelihood(spec, bins)
        self.encoder = mlp([self.table.width + told, *hidden, 2 * latent], activation)
        self.decoder = mlp([latent + told, *reversed(hidden), self.likelihood.width], activation)

    def told(self, spec: Spec, hiding: float) -> Conditions:
        """Labels and attributes, where there are some."""
        return Conditions(spec, hiding, needed=False)

    def begin(self, data: Data) -> None:
        """Cut the numbers into bins and remember labels to draw from."""
        super().begin(data)
        self.likelihood.begin(data)

    def outputs(self, x: Tensor, c: Tensor) -> Tensor:
        """What the encoder says of q(z|x, y), and y beside it: (n, *shape), (n, told) -> (n, 2 latent + told)."""
        return torch.cat([unrounded(self.encoder(torch.cat([self.table(x), c], 1))), c], 1)

    @inference
    def redraw(self, x: Tensor) -> Tensor:
        """A row of known values for one draw of z given each, shape (n, *shape)."""
        return self.likelihood.sample(self.decoder(self.latents.draw_exactly(self.posterior(x))), missing=False)
