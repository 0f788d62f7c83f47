"""The one exception that a user is meant to read."""


class InputError(Exception):
    """What the user gave is wrong: one sentence with the file or key, the value found and expected, and the remedy."""
