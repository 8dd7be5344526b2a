"""What every command's `--help` has."""

from typing import Any

HELP_OPTIONS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


def examples(*lines: str) -> str:
    r"""A command's epilog: lines as they are typed. click folds no paragraph that begins with \b."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
