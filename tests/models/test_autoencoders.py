"""Autoencoders: the linear one is PCA, the stacked one is built layer by layer."""

import pytest
import torch
from torch import nn

import nacre
from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.engine.callbacks import Callback
from nacre.engine.loop import phase_ends
from nacre.game import Batch
from nacre.models.autoencoders.ae import AE
from nacre.models.autoencoders.stacked_ae import StackedAE

QUIET = {"device": "cpu", "progress": False}


def principal() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]:
    """Correlated data, their mean, their first two principal axes, and what PCA's reconstruction leaves."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(256, 5, generator=generator, dtype=torch.float64)
    x = (
        x
        * torch.tensor([3.0, 2.0, 0.5, 0.3, 0.1])
        @ torch.linalg.qr(torch.randn(5, 5, generator=generator).double())[0]
    )
    x = x + torch.tensor([4.0, 0.0, -2.0, 1.0, 0.0])
    mean = x.mean(0)
    values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    return x, mean, vectors[:, -2:], values[:3].sum().item()


def linear_ae(x: torch.Tensor) -> AE:
    spec = Spec((5,), center=tuple(x.mean(0).tolist()), scale=tuple(x.std(0).tolist()))
    return AE(spec, latent=2, hidden=(), activation="identity")


def at_pca(mixing: torch.Tensor) -> tuple[AE, torch.Tensor, float]:
    """A linear autoencoder at PCA's solution, in one of its many bases."""
    x, mean, axes, rest = principal()
    model = linear_ae(x).double()
    scale, center = model.from_data.scale, mean + 1  # what is taken off first need not be the mean
    into, back = mixing @ axes.T, axes @ torch.linalg.inv(mixing)
    with torch.no_grad():
        model.mean.copy_(center)
        model.encoder[1].weight.copy_(into * scale)
        model.encoder[1].bias.copy_(into @ (center - mean))
        model.decoder[0].weight.copy_(back / scale[:, None])
        model.decoder[0].bias.copy_((mean - center) / scale)
    return model, x, rest


@pytest.mark.parametrize("mixing", [torch.eye(2), torch.tensor([[2.0, 1.0], [-1.0, 0.5]])], ids=["axes", "mixed"])
def test_pca_is_a_stationary_point_of_the_linear_autoencoder(mixing):
    """Any basis of the principal subspace does, and the loss there is the sum of the other eigenvalues."""
    model, x, rest = at_pca(mixing.double())
    loss = model.reconstruction(Batch(x=x))
    loss.backward()
    assert loss.item() == pytest.approx(rest, rel=1e-9)
    assert all(p.grad.abs().max() < 1e-10 for p in model.parameters())


def test_training_reaches_pca_from_above():
    x, _, _, rest = principal()
    torch.manual_seed(0)
    model = linear_ae(x)
    data = Data(x.float(), spec=model.spec)
    model.fit(data, steps=1500, lr=0.02, batch_size=256, ema=0.9, **QUIET)
    reached = model.reconstruction(Batch(x=x.float())).item()
    assert rest * (1 - 1e-5) <= reached <= rest * 1.001


def test_an_autoencoder_centres_on_the_datas_mean():
    x, mean, *_ = principal()
    model = linear_ae(x)
    model.begin(Data(x.float(), spec=model.spec))
    assert torch.allclose(model.mean.double(), mean, atol=1e-5)
    with torch.no_grad():
        model.encoder[1].bias.zero_()
    assert torch.allclose(model.features(model.mean[None]), torch.zeros(1, 2), atol=1e-6)


def test_an_autoencoder_of_bounded_data_clamps_only_what_it_shows():
    model = AE(Spec.image(1, 2, 2), latent=2, hidden=())
    z = 20 * torch.randn(8, 2)
    raw, shown = model.prediction(z), model.decode(z)
    assert raw.min() < 0 and raw.max() > 1
    assert torch.equal(shown, raw.clamp(0, 1))


def test_a_deep_autoencoder_beats_pca_of_the_same_size():
    """Two numbers per digit: on held-out digits the error is below that of the best linear pair."""
    train, test = nacre.load_data("digits"), nacre.load_data("digits:test").examples().x.flatten(1)
    x = train.examples().x.flatten(1)
    axes = torch.linalg.eigh((x - x.mean(0)).T @ (x - x.mean(0))).eigenvectors[:, -2:]
    linear = ((test - x.mean(0)) @ axes @ axes.T + x.mean(0) - test).square().mean()
    torch.manual_seed(0)
    model = AE(train.spec, latent=2, hidden=(128, 64)).fit(train, steps=800, lr=3e-3, ema=0.99, **QUIET)
    deep = (model.reconstruct(test.view(-1, 1, 8, 8)).flatten(1) - test).square().mean()
    assert deep < 0.9 * linear


def test_a_convolutional_autoencoder_learns_where_things_are():
    """One bright square of 4 x 4 on 16 x 16: two numbers leave less than half of the variance."""
    place = torch.randint(12, (512, 2), generator=torch.Generator().manual_seed(0))
    x = torch.zeros(512, 1, 16, 16)
    for image, (row, column) in zip(x, place.tolist(), strict=True):
        image[0, row : row + 4, column : column + 4] = 1
    torch.manual_seed(0)
    data = Data(x, spec=Spec.image(1, 16, 16))
    model = AE(data.spec, latent=2, channels=8, network="conv").fit(data, steps=400, lr=5e-3, ema=0.99, **QUIET)
    error = (model.reconstruct(x) - x).square().mean()
    assert error < 0.5 * x.var(0).mean()


class Watch(Callback):
    """The weights after every step, with the phase."""

    every = 1

    def start(self, trainer):
        self.seen = [(None, self.copy(trainer))]

    def step(self, trainer):
        self.seen.append((trainer.phases[trainer.phase].name, self.copy(trainer)))

    def copy(self, trainer):
        return {k: v.detach().clone() for k, v in trainer.model.named_parameters()}


def test_every_phase_moves_its_own_layer_and_nothing_else():
    model = StackedAE(Spec((6,)), hidden=(5, 4, 3), fine_tuning=0.4)
    watch = Watch()
    model.fit(Data(torch.randn(32, 6), spec=model.spec), steps=20, batch_size=16, callbacks=[watch], **QUIET)
    names = [name for name, _ in watch.seen[1:]]
    assert names == ["layer 1"] * 4 + ["layer 2"] * 4 + ["layer 3"] * 4 + ["all layers"] * 8
    for (_, before), (name, after) in zip(watch.seen, watch.seen[1:], strict=False):
        moved = {".".join(k.split(".")[:2]) for k in after if not torch.equal(before[k], after[k])}
        layer = int(name[-1]) - 1 if name != "all layers" else None
        own = {f"{part}.{i}" for part in ("encoder", "decoder") for i in range(3)}
        assert moved == (own if layer is None else {f"encoder.{layer}", f"decoder.{2 - layer}"})


def test_fine_tuning_is_a_share_of_the_steps():
    for share, ends in [(0.4, [20, 40, 60, 100]), (0.1, [30, 60, 90, 100]), (0.0, [33, 67, 100])]:
        assert phase_ends(StackedAE(Spec((6,)), hidden=(5, 4, 3), fine_tuning=share).phases(), 100) == ends


def test_corruption_zeroes_its_share_and_leaves_the_rest_as_it_is():
    model, x = StackedAE(Spec((100,)), corruption=0.3), 1 + torch.rand(1000, 100)
    corrupted = model.corrupt(x)
    gone = corrupted == 0
    assert abs(gone.double().mean() - 0.3) < 4.5 * (0.3 * 0.7 / x.numel()) ** 0.5
    assert torch.allclose(corrupted[~gone], x[~gone], rtol=1e-6)
    assert torch.equal(StackedAE(Spec((100,)), corruption=0.0).corrupt(x), x)


@pytest.mark.parametrize("noise", ["mask", "gaussian", "salt-and-pepper"])
def test_every_layer_of_a_stack_is_damaged_in_training_only(noise):
    torch.manual_seed(0)
    model = StackedAE(Spec.image(1, 2, 3), hidden=(5, 4), noise=noise, corruption=0.5)
    batch, x = Batch(x=torch.rand(8, 1, 2, 3)), torch.rand(3, 1, 2, 3)
    for loss in (model.reconstruction, lambda b: model.layer_loss(0, b), lambda b: model.layer_loss(1, b)):
        assert not torch.equal(loss(batch), loss(batch))
    assert torch.equal(model.reconstruct(x), model.reconstruct(x))
    with pytest.raises(nacre.NacreError, match="corruption is -1"):
        StackedAE(Spec((6,)), noise=noise, corruption=-1.0)


def test_a_layer_restores_what_the_layer_below_it_says():
    model = StackedAE(Spec((6,)), hidden=(5, 4, 3), corruption=0.0)
    x = torch.randn(7, 6)
    below = model.encoder[1](model.encoder[0](x))
    restored = model.decoder[0](model.encoder[2](below))
    assert isinstance(model.decoder[0], nn.Sequential) and restored.shape == below.shape
    assert torch.allclose(model.layer_loss(2, Batch(x=x)), (restored - below).square().sum(1).mean())


def test_an_uncorrupted_target():
    """The mask is on what goes in; the error is measured against the whole example."""
    model = StackedAE(Spec((6,)), hidden=(5,), corruption=0.9)
    with torch.no_grad():
        for p in model.decoder.parameters():
            p.zero_()
    x = torch.randn(9, 6)
    for loss in (model.layer_loss(0, Batch(x=x)), model.reconstruction(Batch(x=x))):
        assert torch.allclose(loss, x.square().sum(1).mean())


def test_the_features_of_the_trained_stack_are_its_encoder_without_masks():
    model = StackedAE(Spec((6,)), hidden=(5, 4), corruption=0.9)
    x = torch.randn(3, 6)
    assert torch.allclose(model.encode(x), model.encoder[1](model.encoder[0](x)))
