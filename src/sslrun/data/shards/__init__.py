"""Samples out of tar files (WebDataset), read where they lie."""
