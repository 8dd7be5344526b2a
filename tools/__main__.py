"""`python -m tools`: the operator's commands."""

import io
import sys

if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        # A terminal may not be UTF-8, and names and messages hold any character.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        # Imported here, since it takes a second or two, and Ctrl-C within them is no defect.
        from tools.operate.commands import main
    except KeyboardInterrupt:
        sys.exit(130)
    main()
