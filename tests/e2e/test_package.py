"""What is shipped."""

from tools.local.emulator import BUILD

MACHINES = {"arm64": 0xB7, "x86_64": 0x3E}
"""`e_machine` in the header of an ELF file (System V ABI)."""


def test_compiled_code_is_of_the_architecture_that_was_built_for() -> None:
    """`make build ARCH=arm64` on another machine must not ship its own."""
    (built,) = BUILD.parent.glob("*.built")
    libraries = list(BUILD.rglob("*.so"))
    assert libraries
    assert {int.from_bytes(library.read_bytes()[18:20], "little") for library in libraries} == {MACHINES[built.stem]}


def test_every_module_has_its_bytecode() -> None:
    """Lambda's file system is read-only: what has none is compiled at every cold start."""
    sources = list(BUILD.rglob("*.py"))
    assert sources
    assert [
        path for path in sources if not (path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc").exists()
    ] == []


def test_the_built_template_is_plain_yaml() -> None:
    """CloudFormation knows no aliases."""
    template = (BUILD / "template.yaml").read_text()
    assert "&id" not in template
    assert "*id" not in template
