"""The same networks trained by hand: the loop one would write for one model, that does nothing but train.

Images stay one uint8 tensor and a batch is a gather; the optimizer is fused; no loss is ever read; a network that does
not move is frozen or runs without gradients; convolutions are channels_last. A step takes the indices of its batches,
int64 (draws, batch).
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, linear, relu, softplus
from torch.nn.utils.parametrizations import spectral_norm

from nacre.data.spec import Spec
from nacre.losses.orthogonal import orthogonal_penalty
from nacre.models.gans.biggan import BigGAN

Step = Callable[[Tensor], None]


def loop(step: Step, n: int, draws: int, batch: int, device: torch.device) -> Callable[[Callable[[], None]], None]:
    """Play a step for ever, on a fresh order every epoch."""

    def run(tick: Callable[[], None]) -> None:
        steps = n // (draws * batch)
        while True:
            order = torch.randperm(n, device=device)[: steps * draws * batch]
            for index in order.view(steps, draws, batch):
                step(index)
                tick()

    return run


def graphed(step: Step, draws: int, batch: int) -> Step:
    """The step as one CUDA graph."""
    fixed = torch.zeros(draws, batch, dtype=torch.int64, device="cuda")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(fixed)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(fixed)

    def replay(index: Tensor) -> None:
        fixed.copy_(index)
        graph.replay()

    return replay


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The surroundings of a loss."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def adam(parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Fused Adam, which a CUDA graph can capture."""
    parameters = list(parameters)
    return torch.optim.Adam(parameters, lr, betas, fused=True, capturable=parameters[0].is_cuda)


def freeze(parameters: Iterable[nn.Parameter], frozen: bool) -> None:
    """Whether gradients are computed for parameters."""
    for parameter in parameters:
        parameter.requires_grad = not frozen


def channels_last(module: nn.Module) -> nn.Module:
    """The module with its weights in the layout that convolutions are fastest in."""
    return module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  missing in the stubs


# The variational autoencoder: 784-400-20


def vae_encoder() -> nn.Sequential:
    """Images to the mean and the log-variance of 20 latents."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 40))


def vae_decoder() -> nn.Sequential:
    """20 latents to logits."""
    return nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))


def vae(images: Tensor, precision: str = "float32") -> Step:
    """The negative bound with Bernoulli pixels, Adam 1e-3."""
    device = images.device
    encoder, decoder = vae_encoder().to(device), vae_decoder().to(device)
    optimizer = adam([*encoder.parameters(), *decoder.parameters()], 1e-3, (0.9, 0.999))

    def step(index: Tensor) -> None:
        x = images.index_select(0, index[0]).to(torch.float32).mul_(1 / 255).flatten(1)
        with autocast(device, precision):
            mean, logvar = encoder(x * 2 - 1).chunk(2, dim=1)
            logits = decoder(mean + torch.randn_like(mean) * (logvar / 2).exp())
            reconstruction = binary_cross_entropy_with_logits(logits, x, reduction="sum")
            kl = 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum()
            loss = (reconstruction + kl) / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


# The convolutional game: 32 x 32 grey, 64 base channels


def dcgan_generator_of(latent: int) -> nn.Sequential:
    """Latents to images in [-1, 1]."""
    return nn.Sequential(
        nn.Linear(latent, 256 * 16, bias=False),
        nn.Unflatten(1, (256, 4, 4)),
        nn.BatchNorm2d(256),
        nn.ReLU(),
        nn.ConvTranspose2d(256, 128, 4, 2, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, 1),
        nn.Tanh(),
    )


def dcgan_discriminator() -> nn.Sequential:
    """Images in [-1, 1] to logits."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Conv2d(128, 256, 4, 2, 1, bias=False),
        nn.BatchNorm2d(256),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(256 * 16, 1),
    )


def dcgan(images: Tensor, precision: str = "float32", reuse: bool = False) -> Step:
    """The non-saturating game, Adam 2e-4.

    Args:
        images: uint8 (n, 1, 32, 32).
        precision: float32, medium or bf16.
        reuse: The generator is judged on the fakes that the discriminator has just seen, which saves drawing others.
    """
    device = images.device
    generator = channels_last(dcgan_generator_of(100).to(device))
    discriminator = channels_last(dcgan_discriminator().to(device))
    generator_adam = adam(generator.parameters(), 2e-4, (0.5, 0.999))
    discriminator_adam = adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    judges = list(discriminator.parameters())

    def step(index: Tensor) -> None:
        x = images.index_select(0, index[0]).to(torch.float32).mul_(2 / 255).sub_(1)
        with autocast(device, precision):
            with torch.set_grad_enabled(reuse):
                fake = generator(torch.randn(len(x), 100, device=device))
            loss = softplus(-discriminator(x)).mean() + softplus(discriminator(fake.detach())).mean()
        discriminator_adam.zero_grad()
        loss.backward()
        discriminator_adam.step()

        freeze(judges, True)
        with autocast(device, precision):
            if not reuse:
                fake = generator(torch.randn(len(x), 100, device=device))
            loss = softplus(-discriminator(fake)).mean()
        generator_adam.zero_grad()
        loss.backward()
        generator_adam.step()
        freeze(judges, False)

    return step


# The hinge game with spectral norms, on the networks of the convolutional game without norms in the discriminator


def sngan_discriminator() -> nn.Sequential:
    """Images in [-1, 1] to scores, every weight divided by its spectral norm."""
    layers = [nn.Conv2d(1, 64, 4, 2, 1), nn.Conv2d(64, 128, 4, 2, 1), nn.Conv2d(128, 256, 4, 2, 1)]
    bound = [part for layer in layers for part in (spectral_norm(layer), nn.LeakyReLU(0.2))]
    return nn.Sequential(*bound, nn.Flatten(), spectral_norm(nn.Linear(256 * 16, 1)))


def sngan(images: Tensor, precision: str = "float32") -> Step:
    """The hinge game, Adam 2e-4 with betas 0 and 0.9; real and made images go through the judge together.

    Args:
        images: uint8 (n, 1, 32, 32).
        precision: float32 or bf16.
    """
    device = images.device
    generator = channels_last(dcgan_generator_of(64).to(device))
    discriminator = channels_last(sngan_discriminator().to(device))
    return hinge(
        images, precision, discriminator,
        lambda n, _: generator(torch.randn(n, 64, device=device)),
        lambda x, _: discriminator(x),
        list(generator.parameters()),
    )  # fmt: skip


def hinge(
    images: Tensor,
    precision: str,
    discriminator: nn.Module,
    made: Callable[[int, Tensor], Tensor],
    score: Callable[[Tensor, Tensor], Tensor],
    makers: list[nn.Parameter],
    labels: Tensor | None = None,
    scale: Callable[[Tensor], Tensor] = lambda x: x.mul_(2 / 255).sub_(1),
    further: Callable[[], Tensor] | None = None,
) -> Step:
    """One step of the generator after one of the discriminator on every row of the index."""
    generator_adam, judges = adam(makers, 2e-4, (0.0, 0.9)), list(discriminator.parameters())
    discriminator_adam = adam(judges, 2e-4, (0.0, 0.9))
    labels = torch.zeros(len(images), dtype=torch.int64, device=images.device) if labels is None else labels

    def step(index: Tensor) -> None:
        y = labels
        for row in index.unbind():
            x, y = scale(images.index_select(0, row).to(torch.float32)), labels.index_select(0, row)
            with autocast(images.device, precision):
                with torch.no_grad():
                    fake = made(len(x), y).to(x.dtype)
                real_score, fake_score = score(torch.cat([x, fake]), torch.cat([y, y])).chunk(2)
                loss = relu(1 - real_score).mean() + relu(1 + fake_score).mean()
            discriminator_adam.zero_grad()
            loss.backward()
            discriminator_adam.step()

        freeze(judges, True)
        with autocast(images.device, precision):
            loss = -score(made(index.shape[1], y), y).mean()
            loss = loss + further() if further else loss
        generator_adam.zero_grad()
        loss.backward()
        generator_adam.step()
        freeze(judges, False)

    return step


def biggan(images: Tensor, labels: Tensor, precision: str = "float32") -> Step:
    """The class-conditional game, two steps of the discriminator for one of the generator, on our own networks.

    The networks are nacre's, since the comparison is of loops.

    Args:
        images: uint8 (n, 1, 32, 32).
        labels: int64 (n,).
        precision: float32 or bf16.
    """
    classes = tuple(map(str, range(10)))
    model = BigGAN(Spec.image(1, 32, 32, classes=classes), channels=16).to(images.device)
    channels_last(model)
    judge, generator = model.discriminator, model.generator
    return hinge(
        images, precision, judge,
        lambda n, y: model.to_data(generator(torch.randn(n, 64, device=images.device), y)),
        judge,
        list(generator.parameters()),
        labels,
        lambda x: x.mul_(1 / 255),
        lambda: 1e-4 * orthogonal_penalty(generator),
    )  # fmt: skip


# The Wasserstein game: dense, 5 critic steps


def wgan_generator() -> nn.Sequential:
    """64 latents to values in [-1, 1]."""
    return nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 784), nn.Tanh())


def wgan_critic() -> nn.Sequential:
    """Values in [-1, 1] to scores."""
    return nn.Sequential(
        nn.Linear(784, 512), nn.LeakyReLU(0.2), nn.Linear(512, 512), nn.LeakyReLU(0.2), nn.Linear(512, 1, bias=False)
    )


def wgan_gp(images: Tensor, precision: str = "float32") -> Step:
    """The penalised game, Adam 1e-4 with betas 0 and 0.9."""
    device = images.device
    generator, critic = wgan_generator().to(device), wgan_critic().to(device)
    generator_adam = adam(generator.parameters(), 1e-4, (0.0, 0.9))
    critic_adam = adam(critic.parameters(), 1e-4, (0.0, 0.9))
    judges = list(critic.parameters())

    def step(index: Tensor) -> None:
        for row in index.unbind():
            x = images.index_select(0, row).flatten(1).to(torch.float32).mul_(2 / 255).sub_(1)
            with autocast(device, precision):
                with torch.no_grad():
                    fake = generator(torch.randn(len(x), 64, device=device)).float()
                between = torch.lerp(fake, x, torch.rand(len(x), 1, device=device)).requires_grad_()
                (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
                norm = (gradient.square().sum(1) + 1e-12).sqrt()
                loss = critic(fake).mean() - critic(x).mean() + 10 * (norm - 1).square().mean()
            critic_adam.zero_grad()
            loss.backward()
            critic_adam.step()

        freeze(judges, True)
        with autocast(device, precision):
            loss = -critic(generator(torch.randn(index.shape[1], 64, device=device))).mean()
        generator_adam.zero_grad()
        loss.backward()
        generator_adam.step()
        freeze(judges, False)

    return step


# The Boltzmann machine: 784-500, persistent chains, one Gibbs step


def rbm(images: Tensor, precision: str = "float32", centred: bool = True) -> Step:
    """The statistics written out, five matrix products and no autograd; gradient ascent with rate 0.1.

    Args:
        images: uint8 (n, 1, 28, 28).
        precision: float32 or medium.
        centred: With offsets, as `nacre.RBM` has them by default; else 0.
    """
    device, chains, rate = images.device, 100, 0.1
    weight = 0.01 * torch.randn(784, 500, device=device)
    v_bias, h_bias = torch.zeros(784, device=device), torch.zeros(500, device=device)
    v_offset = images[:10_000].flatten(1).float().mean(0) / 255
    h_offset = torch.full((500,), 0.5, device=device)
    states = bernoulli(torch.full((chains, 500), 0.5, device=device))

    @torch.no_grad()
    def step(index: Tensor) -> None:
        v = bernoulli(images.index_select(0, index[0]).flatten(1).to(torch.float32).mul_(1 / 255))
        n = len(v)
        dream = bernoulli(linear(states - h_offset if centred else states, weight, v_bias).sigmoid_())
        v_mean, dream_mean = v.mean(0), dream.mean(0)
        if centred:
            v.sub_(v_offset)
            dream.sub_(v_offset)
        h = torch.addmm(h_bias, v, weight).sigmoid_()
        dream_h = torch.addmm(h_bias, dream, weight).sigmoid_()
        states.copy_(bernoulli(dream_h))
        h_mean, dream_h_mean = h.mean(0), dream_h.mean(0)
        if centred:
            h.sub_(h_offset)
            dream_h.sub_(h_offset)
        weight.addmm_(v.T, h, alpha=rate / n).addmm_(dream.T, dream_h, alpha=-rate / chains)
        v_bias.add_(v_mean - dream_mean, alpha=rate)
        h_bias.add_(h_mean - dream_h_mean, alpha=rate)
        if centred:
            change = (h_mean - h_offset).mul_(0.01)
            h_offset.add_(change)
            v_bias.addmv_(weight, change)

    return step


def bernoulli(probability: Tensor) -> Tensor:
    """1 with the given probability, else 0."""
    return (torch.rand_like(probability) < probability).to(torch.float32)
