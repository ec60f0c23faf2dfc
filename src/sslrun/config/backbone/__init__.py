"""Configurations of the backbones, one file each."""
