"""Metrics of features and scores: pure functions of tensors."""
