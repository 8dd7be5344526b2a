"""Mutation tests: mutmut makes small changes to the functions and the layer, one at a time, and a test should fail for
each. `make mutants`.

mutmut derives a module's name from its path, and leaves decorated classes and functions alone. It therefore works on a
copy, in which the layer's package is at the top and decorators are called below what they decorate.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

from tools.template import ROOT

FOLDER = ROOT / ".mutants"
SOURCES = {"certificates": ROOT / "layers/certificates/certificates", "functions": ROOT / "functions"}
NEEDED = 95
"""Per cent of the mutants."""
UNNOTICED = {0, 33}
"""The exit codes that mutmut keeps of a mutant whose tests pass, and of one that no test runs. Any other is a failed test
or a time-out."""


def main() -> None:
    prepare_copy()
    subprocess.run(["mutmut", "run", "--max-children", "2", *sys.argv[1:]], cwd=FOLDER, check=True)
    tested = unnoticed = 0
    print(f"\n{'module':44}{'mutants':>9}{'noticed':>9}")
    for path in sorted(FOLDER.rglob("*.py.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        left = [name for name, code in codes.items() if code in UNNOTICED]
        if codes:
            module = path.relative_to(FOLDER / "mutants").with_suffix("")
            print(f"{module!s:44}{len(codes):>9}{len(codes) - len(left):>9}", *left, sep="\n    ")
        tested, unnoticed = tested + len(codes), unnoticed + len(left)
    share = 100 * (tested - unnoticed) / tested
    print(f"{'all':44}{tested:>9}{tested - unnoticed:>9}   {share:.1f} %")
    print("To see one: cd .mutants && mutmut show NAME")
    sys.exit(share < NEEDED)


def prepare_copy() -> None:
    """Files that would not change keep their times: mutmut tests only what is new."""
    FOLDER.mkdir(exist_ok=True)
    for name in ("tests", "pyproject.toml"):
        if not (FOLDER / name).is_symlink():
            (FOLDER / name).symlink_to(ROOT / name)
    for package, source in SOURCES.items():
        for file in source.rglob("*.py"):
            copy = FOLDER / package / file.relative_to(source)
            code = call_decorators_below(file.read_text())
            if not copy.exists() or copy.read_text() != code:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(code)


def call_decorators_below(code: str) -> str:
    lines = code.splitlines(keepends=True)
    for node in reversed(list(ast.walk(ast.parse(code)))):  # a class after its methods
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            for decorator in node.decorator_list:
                text = ast.unparse(decorator)
                if text != "classmethod":
                    lines[decorator.lineno - 1] = "\n"
                    lines[node.end_lineno - 1] += f"{' ' * node.col_offset}{node.name} = {text}({node.name})\n"
    return "".join(lines)


if __name__ == "__main__":
    main()
