"""Images: folders, tables and library datasets; decoding, cache, augmentation."""
