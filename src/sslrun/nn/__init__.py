"""Parts that several methods share: heads, momentum copies."""
