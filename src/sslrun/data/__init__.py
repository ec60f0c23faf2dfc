"""Datasets, augmentation and batches; nothing here depends on a method."""
