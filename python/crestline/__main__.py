"""`python -m crestline`: the program, run in this process."""

import signal
import sys

from crestline import _native
from crestline._command import own_words


def main() -> int:
    """Runs the command line of this process, and gives its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _native.started_by(own_words())
    return _native.main(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
