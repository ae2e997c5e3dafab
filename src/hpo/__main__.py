"""`python -m hpo` is the `hpo` command; Ctrl-C ends it with a message from its first import on."""

import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        from hpo.search.cli import main as command

        return command()
    except KeyboardInterrupt:  # before the command could say so itself
        sys.stderr.write("hpo: stopped now\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
