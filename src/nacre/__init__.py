"""nacre: deep generative models, trained by one engine, on your own data, judged by one yardstick.

Everything here is imported when it is first used: `import nacre` alone does not import torch.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Batch": "nacre.game",
    "Callback": "nacre.engine.callbacks",
    "Data": "nacre.data.dataset",
    "Model": "nacre.model",
    "NacreError": "nacre.errors",
    "PerPlayer": "nacre.game",
    "Phase": "nacre.game",
    "Spec": "nacre.data.spec",
    "Training": "nacre.engine.training",
    "Turn": "nacre.game",
    "create": "nacre.registry",
    "evaluate": "nacre.metrics",
    "load": "nacre.api",
    "load_data": "nacre.data.sources",
    "train": "nacre.api",
    "transfer": "nacre.few_labels",
}
__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name == "latent":
        return importlib.import_module("nacre.latent")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if not name.startswith("_"):
        from nacre.registry import find_class

        model = find_class(name)
        if model is not None:
            return model
    raise AttributeError(f"module 'nacre' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
