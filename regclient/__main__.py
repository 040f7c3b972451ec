"""`python -m regclient`, and the program `regcore` that is installed."""

import os
import sys

OWN_FAULT = 70
INTERRUPTED = 130


def main() -> None:
    """Run the command line; Ctrl-C, or a package that is missing, ends it in a word while it still imports."""
    try:
        from regclient.cli import main as run_command_line

        run_command_line()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("REGCORE_DEBUG", "0") not in ("", "0"):
            raise
        sys.stderr.write(f"Error: regcore cannot start ({type(error).__name__}: {error}). Is it installed whole?\n")
        sys.exit(OWN_FAULT)


if __name__ == "__main__":
    main()
