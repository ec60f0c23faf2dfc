"""Overrides in Hydra's grammar."""

from hydra.core.override_parser.types import Quote, QuotedString


def quoted(text: str) -> str:
    """Quote a text as the value of an override, so that Hydra parses it back unchanged.

    JSON quoting would not: Hydra keeps `\\u00e9`, and a doubled backslash that precedes no quote, literally.
    """
    return QuotedString(text, Quote.double).with_quotes()
