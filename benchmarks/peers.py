"""The peers: the same networks in the trainers of pythae, torchgan and scikit-learn, unmodified.

Their loaders are made endless, which spares them what they do at the end of an epoch.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import plain

Tick = Callable[[], None]
Loop = Callable[[Tick], None]


class Endless:
    """A loader whose epochs never end, and which gives control back between batches.

    Args:
        loader: The peer's own loader.
        tick: Called when a batch has been trained on.
    """

    def __init__(self, loader: Any, tick: Tick) -> None:
        self.loader, self.tick = loader, tick
        self.dataset, self.batch_size = loader.dataset, loader.batch_size

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        """Batch after batch."""
        while True:
            for batch in self.loader:
                yield batch
                self.tick()


def pythae_vae(images: Tensor) -> Loop:
    """Pythae's BaseTrainer with its progress bar."""

    def run(tick: Tick) -> None:
        from pythae.data.datasets import BaseDataset
        from pythae.models import VAE, VAEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
        from pythae.trainers import BaseTrainer, BaseTrainerConfig

        class Encoder(BaseEncoder):
            def __init__(self) -> None:
                super().__init__()
                self.net = plain.vae_encoder()

            def forward(self, x: Tensor) -> Any:
                mean, logvar = self.net(x).chunk(2, dim=1)
                return ModelOutput(embedding=mean, log_covariance=logvar)

        class Decoder(BaseDecoder):
            def __init__(self) -> None:
                super().__init__()
                self.net = plain.vae_decoder()

            def forward(self, z: Tensor) -> Any:
                return ModelOutput(reconstruction=self.net(z).sigmoid().view(-1, 1, 28, 28))

        config = VAEConfig(input_dim=(1, 28, 28), latent_dim=20, reconstruction_loss="bce")
        with tempfile.TemporaryDirectory() as folder:
            trainer = BaseTrainer(
                VAE(config, Encoder(), Decoder()),
                BaseDataset(images.cpu() / 255, torch.zeros(len(images))),
                training_config=BaseTrainerConfig(
                    output_dir=folder,
                    num_epochs=1,
                    per_device_train_batch_size=128,
                    learning_rate=1e-3,
                    optimizer_cls="Adam",
                    no_cuda=not images.is_cuda,
                ),
            )
            trainer.train_loader = Endless(trainer.train_loader, tick)
            trainer.train()

    return run


def torchgan_trainer(
    images: Tensor, generator: nn.Module, discriminator: nn.Module, latent: int, adam: dict[str, Any], penalised: bool
) -> Loop:
    """Torchgan's Trainer with its console log.

    Args:
        images: uint8 (n, c, h, w).
        generator: The network.
        discriminator: The network.
        latent: Size of z.
        adam: The optimizer's options.
        penalised: The Wasserstein game with its penalty, 5 critic steps; else the non-saturating one.
    """

    def run(tick: Tick) -> None:
        if "torchvision" not in sys.modules and find_spec("torchvision") is None:
            # It writes a picture at the end of an epoch, by which we never come.
            sys.modules["torchvision"] = ModuleType("torchvision")
        from torchgan import losses
        from torchgan.models import Discriminator, Generator
        from torchgan.trainer import Trainer

        class TheGenerator(Generator):
            def __init__(self) -> None:
                super().__init__(latent)
                self.net = generator

            def forward(self, z: Tensor) -> Tensor:
                return self.net(z)

        class TheDiscriminator(Discriminator):
            def __init__(self) -> None:
                super().__init__(images.shape[1])
                self.net = discriminator

            def forward(self, x: Tensor) -> Tensor:
                return self.net(x).view(-1)

        game = (
            [
                losses.WassersteinGeneratorLoss(),
                losses.WassersteinDiscriminatorLoss(),
                losses.WassersteinGradientPenalty(),
            ]
            if penalised
            else [losses.MinimaxGeneratorLoss(), losses.MinimaxDiscriminatorLoss()]
        )
        optimizer = {"name": torch.optim.Adam, "args": adam}
        x = images.cpu().float() / 127.5 - 1
        loader = DataLoader(TensorDataset(x.flatten(1) if penalised else x, torch.zeros(len(x))), 64, shuffle=True)
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(
                {
                    "generator": {"name": TheGenerator, "optimizer": optimizer},
                    "discriminator": {"name": TheDiscriminator, "optimizer": optimizer},
                },
                game,
                device=images.device,
                ncritic=5 if penalised else 1,
                epochs=1,
                checkpoints=f"{folder}/gan",
                recon=f"{folder}/images",
            )
            trainer(Endless(loader, tick))

    return run


def torchgan_dcgan(images: Tensor) -> Loop:
    """The convolutional game."""
    options = {"lr": 2e-4, "betas": (0.5, 0.999)}
    return torchgan_trainer(images, plain.dcgan_generator_of(100), plain.dcgan_discriminator(), 100, options, False)


def torchgan_wgan_gp(images: Tensor) -> Loop:
    """The Wasserstein game; its penalty takes one norm over the whole batch."""
    options = {"lr": 1e-4, "betas": (0.0, 0.9)}
    return torchgan_trainer(images, plain.wgan_generator(), plain.wgan_critic(), 64, options, True)


def sklearn_rbm(images: Tensor, dtype: torch.dtype) -> Loop:
    """scikit-learn's BernoulliRBM, which is persistent with one step and has no offsets."""

    def run(tick: Tick) -> None:
        from sklearn.neural_network import BernoulliRBM

        class Ticking(BernoulliRBM):
            def _fit(self, v_pos: Any, rng: Any) -> None:
                super()._fit(v_pos, rng)
                tick()

        x = (images.cpu().flatten(1).to(dtype) / 255).numpy()
        Ticking(500, learning_rate=0.1, batch_size=100, n_iter=1_000_000, random_state=0).fit(x)

    return run
