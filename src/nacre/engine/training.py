"""The options of training: one frozen dataclass for `fit` and for the command line."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from nacre.errors import NacreError, at_least, share, unknown


@dataclass(frozen=True)
class Training:
    """How a model is trained; the same options for every model.

    Args:
        steps: Training steps; in one step every turn of the game is played.
        batch_size: Examples per step, over all processes together; by default no more than there are.
        lr: Learning rate.
        player_lr: Learning rates of single players, which replace `lr` for them: `critic 4e-4`.
        optimizer: The rule that turns gradients into steps.
        betas: Decay rates of Adam's two moments, each in [0, 1).
        momentum: Momentum of sgd and rmsprop, in [0, 1).
        weight_decay: Weight decay (decoupled for adamw), 0 or more.
        schedule: How the learning rate falls over a phase: not at all, linearly to 0, or as a half cosine to 0.
        warmup: Share of a phase over which the learning rate rises from 0, in [0, 1).
        clip: Largest norm of each player's gradient; 0 does not clip.
        ema: Decay of the average of the weights that training leaves in the model, in [0, 1); 0 keeps the last weights.
        accumulate: Parts that a batch is cut into so that it fits in memory; the gradient stays that of the whole.
        precision: float32 is exact; medium lets float32 matrix products use bf16 arithmetic; bf16 runs losses in bf16,
            on a CPU that would only imitate it (without AVX-512 or SVE) in float32, which is faster there.
        compile: Compile the losses with torch.compile where they allow it.
        device: cpu, cuda, cuda:1 ...; auto takes a GPU if there is one.
        threads: CPU threads; 0 takes one for small dense networks, which gain nothing from more, else all there are.
        seed: Seed of the initial weights, the data order and all noise.
        log_every: Steps between lines of the log.
        sample_every: Steps between grids of samples; 0 makes ten in a run.
        eval_every: Steps between evaluations on held-out data; 0 evaluates only when asked to.
        best: Keep the weights that were best by this result of the evaluations, such as frechet, and end with them.
        patience: Stop after so many evaluations without a better `best`; 0 never does.
        checkpoint_every: Steps between checkpoints; 0 makes twenty in a run, and one at least every five minutes.
        keep: Checkpoints kept, at least 2, so that a torn one loses little.
        doctor: Watch the run and say what goes wrong; act also stops it or rolls it back; off does not look.
        track: Also log to any of tensorboard, wandb, mlflow.
        progress: Show a progress bar.
    """

    steps: int = 10_000
    batch_size: int = 128
    lr: float = 1e-3
    player_lr: dict[str, float] = field(default_factory=dict)
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup: float = 0.0
    clip: float = 0.0
    ema: float = 0.999
    accumulate: int = 1
    precision: Literal["float32", "medium", "bf16"] = "float32"
    compile: bool = False
    device: str = "auto"
    threads: int = 0
    seed: int = 0
    log_every: int = 50
    sample_every: int = 0
    eval_every: int = 0
    best: str = ""
    patience: int = 0
    checkpoint_every: int = 0
    keep: int = 2
    doctor: Literal["off", "watch", "act"] = "watch"
    track: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    progress: bool = True

    def __post_init__(self) -> None:
        """Refuse values outside their ranges with one sentence."""
        at_least(1, steps=self.steps, batch_size=self.batch_size, accumulate=self.accumulate, log_every=self.log_every)
        at_least(2, keep=self.keep)
        at_least(0, lr=self.lr, seed=self.seed, threads=self.threads, clip=self.clip, weight_decay=self.weight_decay)
        at_least(0, sample_every=self.sample_every, eval_every=self.eval_every, checkpoint_every=self.checkpoint_every)
        at_least(0, patience=self.patience)
        share(ema=self.ema, momentum=self.momentum, warmup=self.warmup)
        if not all(0 <= beta < 1 for beta in self.betas):
            raise NacreError(f"betas are {self.betas}; each must lie in [0, 1).")
        if self.best and not self.eval_every:
            raise NacreError(f"best is {self.best} but nothing is evaluated during training; add --eval-every 500.")
        if self.patience and not self.best:
            raise NacreError(f"patience is {self.patience} but no metric is watched; name one: --best frechet.")
        if self.batch_size % self.accumulate:
            raise NacreError(
                f"a batch of {self.batch_size} cannot be cut into {self.accumulate} equal parts; "
                f"choose an accumulate that divides batch_size."
            )

    @classmethod
    def resolve(cls, defaults: Mapping[str, Any], options: Mapping[str, Any]) -> "Training":
        """The options a model is trained with: the user's before the model's own defaults before the general ones.

        Raises:
            NacreError: An option does not exist or is out of range.
        """
        known = [f.name for f in fields(cls)]
        for name in options:
            if name not in known:
                raise unknown("training option", name, known)
        return cls(**{**defaults, **options})

    def at_rate(self, factor: float) -> "Training":
        """The same options with every learning rate multiplied by `factor`."""
        rates = {player: lr * factor for player, lr in self.player_lr.items()}
        return replace(self, lr=self.lr * factor, player_lr=rates)

    def for_data(self, defaults: Mapping[str, Any], examples: int, world: int = 1) -> "Training":
        """The same options where data of fewer examples than the model's own batch size make one batch.

        A batch size that differs from the model's own was asked for, and stays.

        Args:
            defaults: The model's own options.
            examples: How many there are.
            world: Processes that share a batch.
        """
        usual = {"batch_size": Training.batch_size, **defaults}["batch_size"]
        parts = world * self.accumulate
        most = examples // parts * parts
        return replace(self, batch_size=most) if self.batch_size == usual and 0 < most < usual else self

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @property
    def sample_steps(self) -> int:
        """Steps between grids of samples, resolved."""
        return self.sample_every or max(1, self.steps // 10)

    @property
    def checkpoint_steps(self) -> int:
        """Steps between checkpoints, resolved."""
        return self.checkpoint_every or max(1, self.steps // 20)
