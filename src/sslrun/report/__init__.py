"""What a run found, for people: a table in the terminal, one HTML file. Reads run folders, never trains."""
