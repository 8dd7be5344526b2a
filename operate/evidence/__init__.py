"""The evidence about one certificate. It needs the packages of the extra `evidence`, which only its commands import."""

from importlib.util import find_spec

from operate.command_line import CannotRun

_PACKAGES = {"fpdf": "fpdf2", "matplotlib": "matplotlib", "pyhanko": "pyhanko", "uharfbuzz": "uharfbuzz"}
"""The names by which packages are imported and installed."""


def require_packages() -> None:
    missing = [name for module, name in _PACKAGES.items() if find_spec(module) is None]
    if missing:
        words = "python -m pip install '.[operate,evidence]'"
        raise CannotRun(f"Not installed: {', '.join(missing)}. Run {words} in the project's folder.")
