"""Training with Lightning: module, optimizers, schedules, checkpoints, progress. Methods do not depend on it."""
