"""Small GANs on a ring of eight modes over time: the same networks, data and steps, another game in each row.

A generator that learns faster than the discriminator plays max over D of min over G: it moves all samples to where the
discriminator of the moment is most mistaken, which is one place, and follows it from mode to mode. The weights are
those of the step, not their average, which would hide how modes come and go.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nacre.data.toy import Mixture
from nacre.engine.callbacks import Callback
from nacre.errors import NacreError, at_least, unknown
from nacre.explain.page import Page, Row, new_figure
from nacre.metrics.modes import Judged, judged

OPTIONS: dict[str, dict[str, Any]] = {
    "minimax": {},
    "non-saturating": {},
    "maximum-likelihood": {},
    "least-squares": {},
    "hinge": {},
    "wasserstein": {"penalty": ("two-sided",)},
    "relativistic": {"penalty": ("r1", "r2"), "gamma": 0.1},
}
LR = 1e-3
SHOWN = 6
MOMENTS = 60


@dataclass
class Watch(Callback):
    """Remember which modes a generator makes, often, and samples, sometimes.

    Args:
        mixture: The data's density.
        steps: Of the training.
        n: Samples judged each time.
        shares: Of the samples by nearest mode, one row for each of `MOMENTS`.
        seen: The samples (n, 2) and their judgement at a few steps.
        diverged: The step at which a loss was no longer finite; 0 if none was.
    """

    mixture: Mixture
    steps: int
    n: int = 2000
    shares: list[list[float]] = field(default_factory=list)
    seen: dict[int, tuple[Tensor, Judged]] = field(default_factory=dict)
    diverged: int = 0

    def __post_init__(self) -> None:
        """Look at equal distances."""
        self.every = self.steps // MOMENTS

    def step(self, trainer: Any) -> None:
        """Draw and judge."""
        x = trainer.model.sample(self.n, seed=0)
        found = judged(x.double(), self.mixture)
        self.shares.append(found.shares)
        if trainer.step in moments(self.steps):
            self.seen[trainer.step] = x, found

    def failed(self, trainer: Any, error: Exception) -> bool:
        """A game that diverges ends here, and the page says so."""
        self.diverged = trainer.step
        return True


def moments(steps: int) -> list[int]:
    """The steps that are shown, all of them last."""
    every = steps // MOMENTS
    return [every * part for part in (5, 10, 20, 30, 45, 60)]


def watched(game: str, steps: int, pace: float, seed: int) -> Watch:
    """Train a GAN by a game, and what was seen of it."""
    import nacre

    data = nacre.load_data("ring")
    assert isinstance(data.density, Mixture)
    watch = Watch(data.density, steps)
    torch.manual_seed(seed)
    model = nacre.create("gan", data.spec, latent=16, hidden=(128, 128), game=game, **OPTIONS[game])
    model.fit(
        data, steps=steps, lr=LR, player_lr={"discriminator": pace * LR}, betas=(0.5, 0.99), batch_size=256, ema=0.0,
        seed=seed, doctor="off", device="cpu", threads=1, progress=False, callbacks=[watch],
    )  # fmt: skip
    return watch


def fair(watch: Watch) -> Tensor:
    """The shares of all modes over time, in units of the fair one, (moments, modes)."""
    modes = len(watch.mixture.modes)
    return modes * torch.tensor(watch.shares, dtype=torch.float64).reshape(-1, modes)


def lost(watch: Watch) -> int:
    """How often a mode that had half of its fair share of the samples has less than a twentieth a moment later."""
    shares = fair(watch)
    return int(((shares[:-1] >= 1 / 2) & (shares[1:] < 1 / 20)).sum())


def held(watch: Watch) -> float:
    """How many modes have half of their fair share of the samples, on average over the last third of the moments."""
    late = fair(watch)[2 * MOMENTS // 3 :]
    return float((late >= 1 / 2).sum(1).double().mean()) if len(late) else 0.0


def page(
    *,
    pace: float = 0.3,
    steps: int = 1800,
    seed: int = 0,
    games: tuple[str, ...] = tuple(OPTIONS),
    quick: bool = False,
) -> Page:
    """Train a small GAN on a ring of eight modes by each game, and show which modes it makes as time goes on.

    Args:
        pace: The discriminator's learning rate over the generator's, positive; at 0.3 modes come and go, at 1 they
            stay.
        steps: Of each game; 60 or more, cut to a multiple of 60.
        seed: Of all weights, data orders and noise.
        games: Only these.
        quick: A third of the steps.

    Raises:
        NacreError: A value is out of range, or there is no such game.
    """
    at_least(0, seed=seed)
    steps = steps // 3 if quick else steps
    at_least(MOMENTS, steps=steps)
    if not pace > 0:
        raise NacreError(f"pace is {pace}; it must be positive.")
    if not games:
        raise NacreError(f"name at least one game: {', '.join(OPTIONS)}.")
    for game in games:
        if game not in OPTIONS:
            raise unknown("game", game, list(OPTIONS))
    steps -= steps % MOMENTS
    runs = {game: watched(game, steps, pace, seed) for game in games}
    tables = {
        f"modes found of 8, by step; pace {pace:g}, seed {seed}": table(runs, steps, lambda found: found.modes),
        "share of the samples within 3 sd of a mode": table(runs, steps, lambda found: found.within),
        "reverse KL over the modes, nats": table(runs, steps, lambda found: found.divergence),
        f"over {MOMENTS} moments": [
            {"game": game, "modes lost": float(lost(watch)), "modes held in the last third": held(watch)}
            for game, watch in runs.items()
        ],
    }
    return Page(tables, drawn(runs, steps))


def table(runs: dict[str, Watch], steps: int, value: Any) -> list[Row]:
    """A value of every game at the steps that are shown."""
    return [
        {
            "game": game,
            **{str(at): value(watch.seen[at][1]) if at in watch.seen else "diverged" for at in moments(steps)},
        }
        for game, watch in runs.items()
    ]


def drawn(runs: dict[str, Watch], steps: int) -> Any:
    """A row for each game: samples at some steps, the data behind, and the shares of all modes over time."""
    figure, axes = new_figure(len(runs), SHOWN + 1, 11.6, 1.75 * len(runs) + 0.3)
    for (game, watch), row in zip(runs.items(), axes, strict=True):
        real = watch.mixture.sample(400, seed=1)
        for axis, at in zip(row, moments(steps), strict=False):
            axis.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal", xticks=(), yticks=())
            axis.spines[:].set_visible(False)
            axis.scatter(*real.T, s=8, color="0.8", linewidths=0)
            if at in watch.seen:
                x, found = watch.seen[at]
                axis.scatter(*x[:500].T, s=2, color="tab:blue", alpha=0.5, linewidths=0)
                said = f"{found.modes:.0f} of 8, {100 * found.within:.0f} %"
            else:
                said = "diverged"
            axis.set_title(f"step {at}\n{said}" if game == next(iter(runs)) else said, fontsize=8)
        row[0].set_ylabel(game, fontsize=9)
        times = [watch.every * (i + 1) for i in range(len(watch.shares))]
        row[-1].stackplot(times, fair(watch).T / len(watch.mixture.modes), linewidth=0)
        row[-1].set(xlim=(0, steps), ylim=(0, 1), xticks=(0, steps), yticks=())
        row[-1].set_title("share of each mode" if game == next(iter(runs)) else "", fontsize=8)
    return figure
