"""Configurations of the commands that Hydra composes, one file each."""
