"""Evaluations of features and encoders: rows of results, each with n and an interval."""
