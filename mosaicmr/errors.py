"""The exception that a user is meant to read."""


class InputError(Exception):
    """A user's mistake: one sentence with the file or key, the value found and expected, and the remedy."""
