"""`python -m crestline`: the program, run in this process."""

import contextlib
import signal
import sys

from crestline import _native
from crestline._command import own_words
from crestline.ray import Launcher


def main() -> int:
    """Runs the command line of this process, and gives its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _native.started_by(own_words(), sys.executable or None)
    # What Ray has to say is no result: those are written by the program itself.
    with Launcher() as launcher, contextlib.redirect_stdout(sys.stderr):
        return _native.main(sys.argv, launcher)


if __name__ == "__main__":
    sys.exit(main())
