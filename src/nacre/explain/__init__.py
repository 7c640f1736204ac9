"""Pages that compute what a text would only state: each draws a picture and prints its numbers."""

from types import ModuleType

TOPICS = {
    "saddle": "why a two-player game circles, and what makes it converge: seven rules against their closed forms",
    "optimal-discriminator": "what a discriminator learns: its odds are the density ratio, its cost a divergence",
    "saturation": "the generator's costs and their gradients: which samples they listen to",
    "mode-collapse": "small GANs on eight modes over time, one row for each game",
}


def find(topic: str) -> ModuleType:
    """The module of a topic; its `page` computes and draws.

    Raises:
        NacreError: There is no such topic.
    """
    from importlib import import_module

    from nacre.errors import unknown

    if topic not in TOPICS:
        raise unknown("topic", topic, list(TOPICS), "`nacre explain` lists them.")
    return import_module(f"nacre.explain.{topic.replace('-', '_')}")
