"""What can go wrong, as exceptions that a caller tells apart; messages are those of the command line."""


class CrestlineError(Exception):
    """Anything that crestline refuses or that fails while it works."""


class RunFileError(CrestlineError):
    """A stored run cannot be read."""


class RunNotFound(RunFileError, FileNotFoundError):
    """Nothing is at the path."""


class NotARun(RunFileError, ValueError):
    """What is at the path is no run, holds several, or was written by a later version."""


class DamagedRun(RunFileError):
    """A run's file is cut or holds something that is never written."""


class UnknownColumn(CrestlineError, KeyError):
    """Requests have no column of that name."""

    def __str__(self) -> str:
        """The message as it is, without the quotes that a `KeyError` puts around it."""
        return Exception.__str__(self)


class PluginError(CrestlineError, TypeError):
    """A data set or an API that is code has not the form that it needs."""
