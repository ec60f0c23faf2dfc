"""Hydra plugins; Hydra discovers launchers and sweepers only in packages below `hydra_plugins`."""
