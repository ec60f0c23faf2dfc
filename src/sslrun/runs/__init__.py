"""The run folder: manifest, results, lock, resuming. Imports no torch."""
