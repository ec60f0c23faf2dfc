"""Samples from tar files (WebDataset), read in place."""
