"""`python -m crestline`: the program, run in this process."""

import signal
import sys

from crestline import _native
from crestline.ray import Launcher


def main() -> int:
    """Runs the command line of this process, and gives its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with Launcher() as launcher:
        return _native.main(sys.argv, launcher)


if __name__ == "__main__":
    sys.exit(main())
