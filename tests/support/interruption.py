"""An interruption for tests of trainings that go on where they were killed."""


class Killed(BaseException):
    """Stands for a signal: nothing may catch it."""
