"""Errors that a user can cause: one line that names key, value and remedy; the command line exits with 2."""


class SslrunError(Exception):
    """Base of every error that the user can fix."""


class ConfigError(SslrunError, ValueError):
    """An invalid configuration value: unknown, of the wrong type, out of range, or in conflict with another."""


class DataError(SslrunError):
    """A dataset that cannot be read: absent, empty, wrong column, too many unreadable files."""


class RunError(SslrunError):
    """A run folder that cannot be used: locked by another process, of another configuration, absent."""


class TrainingError(SslrunError):
    """Training had to stop: the loss is not finite, or embeddings collapsed."""
