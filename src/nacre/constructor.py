"""The constructor of a model: its own keywords, those it inherits, and the memory of what it was given."""

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from nacre.errors import NacreError, unknown

if TYPE_CHECKING:
    from nacre.model import Model


def constructor(cls: type["Model"]) -> Callable[..., None]:
    """The constructor that a class of models has by what it says.

    Its own one, or that of its base with `presets` as other defaults; where its own one ends in `**inherited`, the
    keywords of the base's constructor stand in their place, with `presets` likewise. The outermost constructor of a
    model remembers its keywords in `hparams`.

    Raises:
        TypeError: A preset is of no keyword that is inherited.
    """
    own, base = cls.__dict__.get("__init__"), super(cls, cls).__init__
    init = own or base
    keywords = dict(inspect.signature(init).parameters)
    rest = [name for name, p in keywords.items() if p.kind is p.VAR_KEYWORD]
    theirs = inspect.signature(base).parameters if rest or not own else {}
    inherited = {name: p for name, p in theirs.items() if not own or name not in keywords}
    presets = cls.__dict__.get("presets", {})
    if strange := presets.keys() - inherited.keys():
        raise TypeError(f"the constructor inherits no keyword {', '.join(sorted(strange))}")
    inherited = {name: p.replace(default=presets.get(name, p.default)) for name, p in inherited.items()}
    if rest:
        del keywords[rest[0]]
        keywords |= {name: p.replace(kind=p.KEYWORD_ONLY) for name, p in inherited.items()}
    signature = inspect.Signature(list((keywords if own else inherited).values()))

    @functools.wraps(init)
    def construct(self: "Model", *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        if "hparams" not in self.__dict__:  # the outermost constructor only, not those it calls
            _, _, *names = bound.arguments  # without self and spec
            self.__dict__["hparams"] = {name: bound.arguments[name] for name in names}
            for name in names:
                check_choice(name, bound.arguments[name], signature.parameters[name].annotation)
        init(*bound.args, **bound.kwargs)

    construct.__annotations__ = {**base.__annotations__, **init.__annotations__}
    vars(construct)["__signature__"] = signature
    return construct


def check_choice(name: str, value: Any, annotation: Any) -> None:
    """Refuse a value that is none of the choices of its type, `Literal[...]` or `tuple[Literal[...], ...]`.

    Raises:
        NacreError: It is none; the nearest choices are given.
    """
    several = get_origin(annotation) is tuple
    kind = get_args(annotation)[0] if several else annotation
    if get_origin(kind) is not Literal:
        return
    choices = get_args(kind)
    if several and isinstance(value, str):
        raise NacreError(f"{name} is {value!r}; give a tuple, such as ({value!r},).")
    for item in value if several else (value,):
        if item not in choices:
            raise unknown(name.replace("_", " "), str(item), [str(choice) for choice in choices])
