"""`python -m tools`: the operator's commands."""

import sys

if __name__ == "__main__":
    try:
        # Imported here, since it takes a second or two, and Ctrl-C within them is no defect.
        from tools.operate.commands import main
    except KeyboardInterrupt:
        sys.exit(130)
    main()
