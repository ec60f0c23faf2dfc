"""One file per command; this package itself imports nothing."""
