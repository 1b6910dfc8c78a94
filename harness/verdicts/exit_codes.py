"""The exit codes of the command line, which CI reads."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a finished command says to the shell."""

    OK = 0  # something was compared and nothing failed
    FAILED = 1  # a check failed
    USAGE = 2  # the command line was wrong
    NOTHING_COMPARED = 3  # an empty selection is not a success
    INTERRUPTED = 130  # stopped by the user; what was written stays
    PIPE_CLOSED = 141  # the reader of a pipe went away before anything was decided, as a shell counts it
