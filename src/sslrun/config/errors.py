"""Errors that a user can cause. Each is one line that names key, value and remedy; the command line exits with 2."""


class SslrunError(Exception):
    """Base of every error that the user can mend."""


class ConfigError(SslrunError, ValueError):
    """A configuration value that cannot be used: unknown, of the wrong type, out of range, or at odds with another."""


class DataError(SslrunError):
    """A dataset that cannot be read as asked: absent, empty, wrong column, too many unreadable files."""


class RunError(SslrunError):
    """A run folder that cannot be used as asked: held by another process, of another configuration, absent."""


class TrainingError(SslrunError):
    """Training that had to stop: a loss that is not finite, collapsed embeddings."""
