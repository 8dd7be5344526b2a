"""The evidence about one certificate. It, digital signatures and seals need the packages of the extra `evidence`, which
other commands do not import."""

from importlib.util import find_spec

from operate.command_line import CannotRun

_PACKAGES = {"fpdf": "fpdf2", "matplotlib": "matplotlib", "pyhanko": "pyhanko", "uharfbuzz": "uharfbuzz"}
"""The names by which packages are imported and installed."""


def require_packages() -> None:
    missing = [name for module, name in _PACKAGES.items() if find_spec(module) is None]
    if missing:
        words = "python -m pip install --editable '.[operate,evidence]'"
        raise CannotRun(f"Not installed: {', '.join(missing)}. Run {words} in the project's folder.")
