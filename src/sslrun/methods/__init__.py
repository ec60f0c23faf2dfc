"""One file per paper. A method knows tensors; nothing of Lightning, Hydra, files or loggers."""
