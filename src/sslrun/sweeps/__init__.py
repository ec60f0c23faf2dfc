"""Sweeps: search space, study, loop, and the record in a sweep's folder. Imports no torch."""
