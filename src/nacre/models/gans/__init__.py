"""Generative adversarial networks: models that are a game between two networks."""
