"""From features or an encoder to rows of results: each with n and its interval."""
