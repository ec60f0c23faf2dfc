"""The typed configuration: dataclasses, composing, error messages. Never imports torch."""
