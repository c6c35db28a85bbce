"""The front door: HTTP, who may come in, and the forms of an answer."""
