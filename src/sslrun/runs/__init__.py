"""The run folder: manifest, results, lock, resume. No torch."""
