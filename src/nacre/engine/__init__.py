"""The engine: the only place that knows optimizers, devices, checkpoints and processes."""
