"""Sound: reading, log-mel, augmentation, batches."""
