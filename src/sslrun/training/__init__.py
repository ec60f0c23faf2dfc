"""Lightning: modules, optimizers, schedules, checkpoints, progress. Methods know nothing of it."""
