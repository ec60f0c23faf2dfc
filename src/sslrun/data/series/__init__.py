"""Time series: files, windows, splits, views."""
