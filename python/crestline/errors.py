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


class CommandError(CrestlineError):
    """A command that was refused or that failed, in the words of the command line."""

    def __init__(
        self,
        title: str,
        cause: str | None = None,
        hint: str | None = None,
        result: object = None,
    ) -> None:
        """What could not be done, why, what to do about it, and what was measured all the same."""
        self.title = title
        self.cause = cause
        self.hint = hint
        self.result = result
        """What was measured before it failed, as the call would have returned it; `None` where nothing was."""
        parts = [title]
        for label, text in (("cause", cause), ("hint", hint)):
            if text is not None:
                indented = text.replace("\n", "\n    ")
                parts.append(f"  {label}: {indented}")
        super().__init__("\n".join(parts))


class UsageError(CommandError, ValueError):
    """Wrong fields or an unusable set-up, found before any load was sent (exit code 2)."""


class RunFailed(CommandError, RuntimeError):
    """The run could not be carried through (exit code 1): no request succeeded, or a result could not be written.

    An SLA that no load meets is a result, and so is a run that is void because the client was the bottleneck.
    """


class PluginError(CrestlineError, TypeError):
    """A data set or an API that is code has not the form that it needs."""
