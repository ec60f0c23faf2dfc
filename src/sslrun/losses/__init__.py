"""Pure tensor functions: one loss per file, paper cited. They compute in float32 whatever autocast says."""
