"""What every model shares: its configuration, its contract with the user, and how it is saved."""

import functools
import inspect
import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from nacre.constructor import constructor
from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least
from nacre.game import Phase, Turn

if TYPE_CHECKING:
    from nacre.data.dataset import Data

ArrayLike = Tensor | np.ndarray | list[Any]


def inference(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make a method safe to call at any time: evaluation mode, no gradients, its own seed, bounded memory.

    The first argument is a number of examples or an array of them; it is worked through in chunks of `batch_size`.
    A keyword with one value per example, or a dict of such, is cut along. With a `seed` the random state of the caller
    is untouched.
    """
    takes = inspect.signature(method).parameters

    @functools.wraps(method)
    def safe(
        self: "Model", what: int | ArrayLike, *, seed: int | None = None, batch_size: int = 1000, **options: Any
    ) -> Tensor:
        with self.evaluating(), seeded(seed), torch.no_grad():
            if told := [name for name in ("labels", "attributes") if name in options and name not in takes]:
                raise NacreError(
                    f"{self.registered_name()} takes no {told[0]} in `{method.__name__}`; leave them out, or use cvae."
                )
            if isinstance(what, str | Path):
                raise NacreError(f"{str(what)!r} is a name; give an array: nacre.load_data(NAME).examples().x is one.")
            if isinstance(what, float):
                raise NacreError(f"n is {what}; give a whole number.")
            if isinstance(what, Integral):
                what = int(what)
                at_least(0, n=what)
            items = what if isinstance(what, int) else self.place(what, method.__name__)
            n = items if isinstance(items, int) else len(items)
            parts = []
            for start in range(0, max(n, 1), batch_size):  # of nothing once, for the shape
                stop = min(start + batch_size, n)
                part = stop - start if isinstance(items, int) else items[start:stop]
                cut = {k: _rows(v, n, start, stop, self.device) for k, v in options.items()}
                parts.append(method(self, part, **cut))
            return torch.cat(parts)

    return safe


def _rows(value: Any, n: int, start: int, stop: int, device: torch.device) -> Any:
    """The part of an option that belongs to these rows; what does not have n values belongs to all."""
    if isinstance(value, dict):
        return {name: _rows(inner, n, start, stop, device) for name, inner in value.items()}
    own = isinstance(value, list | tuple | np.ndarray) or (isinstance(value, Tensor) and value.dim())
    if own and len(value) == n:
        value = value[start:stop]
    return value.to(device) if isinstance(value, Tensor) else value


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Draw from `seed` inside, and leave the random state outside as it was; without a seed, draw on."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


class Model(nn.Module):
    """A game: players and state in the constructor, `turns` or `phases`, one method per loss, and `sample`.

    The constructor's keywords are the configuration; they are remembered in `hparams` and saved beside the weights.
    All state of training that is not a parameter lives in buffers.

    Class attributes: `title` and `paper` for lists; `density` (implicit, explicit ..., none); `mixed`, whether tables
    with categories and missing values will do; `smooth`, whether `decode` has a derivative to follow; `shown_for`, the
    data that `nacre show` builds it for; `defaults`, training options that suit the method; `known_failures`, checks of
    the contract suite that it cannot pass, with the reason; `presets`, other defaults for the keywords that it
    inherits: all of them without a constructor of its own, and those that `**inherited` stands for in one;
    `only_with`, for keywords that have no effect otherwise, the keyword and its values that they need, () for any but
    none.

    Args:
        spec: The shape and the units of one example.
    """

    title: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    density: ClassVar[str] = "implicit"
    mixed: ClassVar[bool] = False
    smooth: ClassVar[bool] = True
    shown_for: ClassVar[str] = ""
    defaults: ClassVar[dict[str, Any]] = {}
    known_failures: ClassVar[dict[str, str]] = {}
    presets: ClassVar[dict[str, Any]] = {}
    only_with: ClassVar[dict[str, tuple[str, tuple[str, ...]]]] = {}

    hparams: dict[str, Any]
    progress: Tensor
    latent: int
    trained_on: tuple[str, ...] = ()  # the fingerprints of the data it was trained on

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.refuse_mixed(spec)
        self.spec = spec
        self.register_buffer("progress", torch.zeros(()), persistent=False)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__init__ = constructor(cls)

    @classmethod
    def refuse_mixed(cls, spec: Spec) -> None:
        """Refuse strings, categories and missing values, unless they will do.

        Raises:
            NacreError: The data are such, and the model cannot take them.
        """
        if spec.kind == "sequence" and not cls.mixed:
            raise NacreError(f"the data are strings, which {cls.registered_name()} cannot take; use lstm or gs-gan.")
        if spec.mixed and not cls.mixed:
            what = f"missing values ({', '.join(spec.missing)})" if spec.missing else "columns of categories"
            raise NacreError(f"the data have {what}, which {cls.registered_name()} cannot take; use tabular-vae.")

    @classmethod
    def refuse_all_but_images(cls, spec: Spec, instead: str) -> None:
        """Refuse data that are no images, and name the model to use instead.

        Raises:
            NacreError: They are none.
        """
        cls.refuse_mixed(spec)
        if spec.kind != "image":
            raise NacreError(f"{cls.registered_name()} needs images, these data are {spec.kind}s; use {instead}.")

    # The game

    def turns(self) -> list[Turn]:
        """The turns of one step, in order: the paper's algorithm box."""
        raise TypeError(f"{type(self).__name__} must define turns() or phases()")

    def phases(self) -> list[Phase]:
        """The stretches of training; by default one, of `turns`."""
        return [Phase("train", self.turns)]

    def begin(self, data: "Data") -> None:
        """Look at the training data once, before the first step; nothing by default."""

    def finish(self) -> None:
        """Put right, once after training, what the averaged weights ask for; nothing by default."""

    def noise(self, n: int) -> Tensor:
        """N draws from the prior N(0, I), shape (n, latent)."""
        return torch.randn(n, self.latent, device=self.device)

    # What a user calls

    def fit(self, data: Any, **options: Any) -> Self:
        """Train the model and return it; afterwards it holds the averaged weights.

        Args:
            data: A `Data`, anything `load_data` takes, or a dict of them by stream name.
            options: `out` (a run folder), `resume`, `callbacks`, and the fields of `nacre.engine.training.Training`.
        """
        from nacre.engine.loop import fit

        fit(self, data, **options)
        return self

    def sample(self, n: int, *, seed: int | None = None, **conditions: Any) -> Tensor:
        """N new examples in the data's own units, shape (n, *spec.shape)."""
        raise self._cannot("sample", "")

    def features(self, x: Tensor) -> Tensor:
        """The latent code, differentiable, for a classifier to be trained on: (n, *shape) -> (n, latent)."""
        raise self._cannot("give features", "it has no encoder")

    def encode(self, x: ArrayLike, *, seed: int | None = None) -> Tensor:
        """The latent code of each example, shape (n, latent)."""
        raise self._cannot("encode", "it has no encoder")

    def decode(self, z: ArrayLike, *, seed: int | None = None) -> Tensor:
        """The example of each latent code, shape (n, *spec.shape)."""
        raise self._cannot("decode", "it has no decoder")

    def reconstruct(self, x: ArrayLike, *, seed: int | None = None, **told: Any) -> Tensor:
        """Every example through the encoder and back, shape (n, *spec.shape); `told` is what both are told besides."""
        return self.decode(self.encode(x, seed=seed, **told), **told)

    def redraw(self, x: ArrayLike, *, seed: int | None = None, **told: Any) -> Tensor:
        """Every example decoded from a code drawn given it, where codes are random; else as `reconstruct` gives it."""
        return self.reconstruct(x, seed=seed, **told)

    def score_samples(self, x: ArrayLike, *, seed: int | None = None) -> Tensor:
        """The log-density of each example, or a bound on it, in nats, shape (n,)."""
        raise self._cannot("score", "its density is implicit; `nacre evaluate` compares its samples instead")

    def bound_terms(self, x: ArrayLike, *, seed: int | None = None) -> Tensor:
        """The terms of the evidence lower bound: -log p(x|z), then the KL by latent unit, in nats, (n, 1 + units).

        Minus the sum of a row is the bound on log p(x) of its example.
        """
        raise self._cannot("bound its density", "it has no variational posterior")

    def importance(self, x: ArrayLike, *, seed: int | None = None, draws: int = 1) -> Tensor:
        """Log p(x) in nats by importance sampling and the effective number of draws, shape (n, 2)."""
        raise self._cannot("draw importance weights", "it has no variational posterior")

    @classmethod
    def can(cls, verb: str) -> bool:
        """Whether the method offers `verb`: sample, encode, decode, reconstruct, score, or a latent-space tool."""
        needs = {
            "score": ["score_samples"],
            "reconstruct": ["reconstruct"] if cls.reconstruct is not Model.reconstruct else ["encode", "decode"],
            **{tool: ["decode"] for tool in ("interpolate", "edit", "traverse", "project")},
        }.get(verb, [verb])
        if verb == "project" and not cls.smooth:
            return False
        return all(getattr(cls, name, None) is not getattr(Model, name, None) for name in needs)

    def layers(self) -> list[str]:
        """How the networks were planned for the data's shape, line by line, for `nacre show`; nothing by default."""
        return []

    # Machinery

    @classmethod
    def registered_name(cls) -> str:
        """The model's name: its file's, with hyphens."""
        return cls.__module__.rpartition(".")[2].replace("_", "-")

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.progress.device

    def place(self, values: ArrayLike, verb: str = "encode") -> Tensor:
        """Values of a user as a float tensor on the model's device, checked against the model's shape and range."""
        if verb == "decode":
            tensor = torch.as_tensor(values).to(self.device, torch.float32)
            width = getattr(self, "latent", None)
            if width is not None and tuple(tensor.shape[1:]) != (width,):
                raise NacreError(f"the codes have shape {tuple(tensor.shape)}; this model decodes (n, {width}).")
            return tensor
        tensor = self.floats(values)
        if tuple(tensor.shape[1:]) != self.spec.shape:
            wanted = ", ".join(str(side) for side in ("n", *self.spec.shape))
            has, fix = tuple(tensor.shape), ""
            if self.spec.kind == "image":
                fix = f"; load_data(..., size={self.spec.shape[1:]}) brings images to that size, and color to channels"
            raise NacreError(f"the examples have shape {has}; this model takes ({wanted}){fix}.")
        self._check_values(tensor)
        known = tensor[~tensor.isnan()] if self.mixed else tensor
        if self.spec.bounded and len(known) and not (0 <= float(known.min()) and float(known.max()) <= 1):
            low, high = float(known.min()), float(known.max())
            raise NacreError(
                f"the values lie in [{low:g}, {high:g}] but this model was made for [0, 1]; "
                f"scale them as the training data were."
            )
        return tensor

    def floats(self, values: ArrayLike) -> Tensor:
        """Values of a user as a float tensor on the model's device; bytes of grey images become [0, 1]."""
        try:
            tensor = torch.as_tensor(values)
        except (TypeError, ValueError, RuntimeError):
            raise NacreError(
                f"a {type(values).__name__} is no array of numbers; give a tensor or an array, such as "
                f"nacre.load_data(NAME).examples().x."
            ) from None
        grey = tensor.dtype == torch.uint8 and self.spec.kind == "image" and not self.spec.binary
        tensor = tensor.to(self.device, torch.float32)
        return tensor / 255 if grey else tensor

    def _check_values(self, tensor: Tensor) -> None:
        if not self.mixed and tensor.isnan().any():
            raise NacreError(
                f"the examples have missing values (NaN), which {self.registered_name()} does not take; "
                f"fill them in, or train tabular-vae."
            )
        if not any(self.spec.categories):
            return
        counts = torch.tensor([len(names) or math.inf for names in self.spec.categories], device=tensor.device)
        wrong = ((tensor >= counts) | (counts.isfinite() & (tensor < 0))).any(0).nonzero()
        if len(wrong):
            column = int(wrong[0])
            name = self.spec.columns[column] if self.spec.columns else f"place {column}"
            raise NacreError(
                f"{name} has numbers of categories that do not exist; there are {int(counts[column])}, from 0 on."
            )

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Evaluation mode inside; every module's own mode is restored after."""
        training = [module for module in self.modules() if module.training]
        self.eval()
        try:
            yield
        finally:
            for module in training:
                module.training = True

    def _cannot(self, verb: str, why: str) -> NacreError:
        reason = f": {why}" if why else ""
        return NacreError(f"{self.registered_name()} cannot {verb}{reason}; `nacre models` shows which models can.")

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors`: a model that loads anywhere, without pickled code."""
        from safetensors.torch import save_file

        from nacre import __version__

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "model": self.registered_name(),
            "hparams": self.hparams,
            "spec": self.spec.to_dict(),
            "trained_on": list(self.trained_on),
            "nacre": __version__,
        }
        state = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        weights, partial = folder / "model.safetensors.partial", folder / "config.json.partial"
        partial.write_text(json.dumps(config, indent=2) + "\n")
        save_file(state, weights, metadata={"format": "pt"})
        shutil.copymode(partial, weights)  # safetensors lets only their owner read its files
        weights.replace(folder / "model.safetensors")
        partial.replace(folder / "config.json")

    @classmethod
    def from_pretrained(cls, source: str | Path) -> "Model":
        """Load a model that `save_pretrained` wrote, from a folder or from an id on the Hugging Face Hub."""
        from safetensors.torch import load_file

        folder = Path(source)
        if not folder.is_dir():
            from huggingface_hub import snapshot_download

            folder = Path(snapshot_download(str(source)))
        if not (folder / "config.json").is_file():
            raise NacreError(f"{folder} holds no config.json; give the folder that save_pretrained wrote.")
        with restoring(folder):
            config = json.loads((folder / "config.json").read_text())
            model = build(config)
            model.trained_on = tuple(config.get("trained_on", ()))
            model.load_state_dict(load_file(folder / "model.safetensors"))
        return model.eval()

    def push_to_hub(self, repo_id: str, folder: str | Path | None = None, **options: Any) -> None:
        """Upload the model to the Hugging Face Hub; a run's model card goes along when `folder` is its run folder."""
        import tempfile

        from huggingface_hub import HfApi

        with tempfile.TemporaryDirectory() as temporary:
            self.save_pretrained(temporary)
            card = Path(folder, "MODEL_CARD.md") if folder else None
            if card and card.is_file():
                Path(temporary, "README.md").write_text(card.read_text())
            HfApi().create_repo(repo_id, exist_ok=True, **options)
            HfApi().upload_folder(repo_id=repo_id, folder_path=temporary)


@contextmanager
def restoring(where: Path) -> Iterator[None]:
    """Turn whatever goes wrong while a model is read from `where` into one sentence.

    Raises:
        NacreError: A file is missing or damaged, or does not fit the model as it is now.
    """
    from safetensors import SafetensorError

    try:
        yield
    except PermissionError as error:
        raise NacreError(f"{error.filename or where} may not be read by you; make it readable.") from error
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise NacreError(
            f"{where} does not load ({type(error).__name__}): a file is missing or damaged, or another nacre wrote "
            f"it; restore it, or train anew."
        ) from error


def build(config: Mapping[str, Any]) -> Model:
    """An untrained model from its configuration: `model`, `hparams` and `spec`."""
    from nacre.registry import create

    hparams = {name: tuple(v) if isinstance(v, list) else v for name, v in config["hparams"].items()}
    model = create(config["model"], Spec.from_dict(config["spec"]), **hparams)
    lay_out(model)
    return model


def has_convolutions(model: Model) -> bool:
    """Whether any layer is a convolution."""
    return any(isinstance(module, _ConvNd) for module in model.modules())


def lay_out(model: Model) -> None:
    """Store convolutions channels-last: faster, and the same everywhere, so that a loaded model rounds as before."""
    if has_convolutions(model):
        model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  missing in the stubs
