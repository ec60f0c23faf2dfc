"""Configurations of the methods, one file each."""
