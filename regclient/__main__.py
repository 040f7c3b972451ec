"""`python -m regclient`, and the program `regcore` that is installed."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback from the first moment on, while it still imports."""
    try:
        from regclient.cli import main as run_command_line

        run_command_line()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
