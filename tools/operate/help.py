"""Parts shared by every command's `--help`."""

from typing import Any

HELP_OPTIONS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


def examples(*lines: str) -> str:
    r"""Makes a command's epilog of lines as they are typed. click does not wrap a paragraph that begins with \b."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
