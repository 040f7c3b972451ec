"""The entry point of `python -m regclient` and of the installed program `regcore`."""

import os
import sys

OWN_FAULT = 70
INTERRUPTED = 130


def main() -> None:
    """Run the command line. During its imports, neither Ctrl-C nor a missing package causes a traceback."""
    try:
        from regclient.cli.entry import main as run_command_line

        run_command_line()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("REGCORE_DEBUG", "0") not in ("", "0"):
            raise
        sys.stderr.write(
            f"Error: regcore cannot start ({type(error).__name__}: {error}). Is the installation complete?\n"
        )
        sys.exit(OWN_FAULT)


if __name__ == "__main__":
    main()
