"""Prepares the copy of the deployed code in which `make mutants` runs mutmut.

mutmut derives a module's name from its path, and leaves decorated classes and functions alone. In the copy, the layer's
package is at the top, and decorators are called below what they decorate.
"""

import ast
import shutil

from develop.template import ROOT

FOLDER = ROOT / ".mutants"
SOURCES = {"certificates": ROOT / "layers/certificates/certificates", "functions": ROOT / "functions"}


def prepare_copy() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    for package, source in SOURCES.items():
        shutil.copytree(source, FOLDER / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FOLDER.rglob("*.py"):
        file.write_text(call_decorators_below(file.read_text()))
    for name in ("tests", "pyproject.toml"):
        (FOLDER / name).symlink_to(ROOT / name)


def call_decorators_below(code: str) -> str:
    lines = code.splitlines(keepends=True)
    for node in reversed(list(ast.walk(ast.parse(code)))):  # a class after its methods
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            for decorator in node.decorator_list:
                name = ast.unparse(decorator)
                if name != "classmethod":
                    lines[decorator.lineno - 1] = "\n"
                    lines[(node.end_lineno or 0) - 1] += f"{' ' * node.col_offset}{node.name} = {name}({node.name})\n"
    return "".join(lines)


if __name__ == "__main__":
    prepare_copy()
