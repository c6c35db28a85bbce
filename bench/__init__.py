"""Measures what the documentation claims: `python -m bench`. Nothing of it is part of the program."""
