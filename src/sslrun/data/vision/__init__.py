"""Images: folders, tables, libraries' datasets; decoding, the cache, views."""
