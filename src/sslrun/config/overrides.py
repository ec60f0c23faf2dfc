"""Overrides as Hydra's grammar reads them."""

from hydra.core.override_parser.types import Quote, QuotedString


def quoted(text: str) -> str:
    """A text as the value of an override, of which Hydra's parser gives back every character.

    JSON is not its syntax: `\\u00e9` stays as it is, and so does a doubled backslash that stands before no quote.
    """
    return QuotedString(text, Quote.double).with_quotes()
