"""`certificates`, or `python -m tools`: the operator's commands."""

import io
import sys


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        # A terminal may not be UTF-8, and names and messages may hold any character.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        # The import takes a second or two. Ctrl-C during it must not print a traceback.
        from tools.operate.commands import main as run_command  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.exit(130)
    run_command()


if __name__ == "__main__":
    main()
