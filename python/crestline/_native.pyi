"""The extension: what the package hands to the crates that do the work."""

def main(args: list[str]) -> int:
    """Runs a command line as the `crestline` program does; `args[0]` is the program. Gives its exit code."""
