"""Batch types, result rows, and collectives."""
