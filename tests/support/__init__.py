"""What the tests share."""


class Skip(Exception):
    """Raised by a test that cannot run on this machine, with the reason."""
