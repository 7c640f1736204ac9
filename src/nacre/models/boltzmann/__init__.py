"""Boltzmann machines: models that are an energy."""
