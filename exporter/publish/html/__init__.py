"""What the status page and the report of a capture have in common: the look, the words, the time line."""
