"""Texts: reading, tokenizers, corruption, batches."""
