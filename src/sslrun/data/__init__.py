"""Datasets, augmentation, batches. A dataset knows no method."""
