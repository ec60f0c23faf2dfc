"""Configurations of the datasets."""
