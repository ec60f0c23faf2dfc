"""Searches over runs: space, study, the loop, and what a sweep's folder says of itself. No torch."""
