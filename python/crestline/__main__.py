"""`python -m crestline`: the program, run in this process."""

import signal
import sys

from crestline import _native


def main() -> int:
    """Runs the command line of this process, and gives its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.main(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
