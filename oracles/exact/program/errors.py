"""What the exact oracle says instead of guessing."""


class ExactError(Exception):
    """The exact oracle cannot answer; the message says why and what to do."""


class Undecided(ExactError):
    """A comparison, a kink or a radius that no precision within the limit decides."""


class Unsupported(ExactError):
    """An operation without a rule, or a value that would leave the balls."""
