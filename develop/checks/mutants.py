"""Mutation tests: mutmut makes thousands of small changes to the functions and the layer, one at a time, and a test
should fail for each. `make mutants`.

mutmut derives a module's name from its path, and leaves decorated classes and functions alone. It therefore works on a
copy, in which the layer's package is at the top and decorators are called below what they decorate.
"""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

from develop.template import ROOT

FOLDER = ROOT / ".mutants"
SOURCES = {"certificates": ROOT / "layers/certificates/certificates", "functions": ROOT / "functions"}
NEEDED = 95
"""Per cent of the mutants."""
SURVIVED = {0, 33}
"""mutmut's codes for a mutant whose tests pass, and for one without tests. Others are a failed test or a time-out."""


def main() -> None:
    prepare_copy()
    subprocess.run(["mutmut", "run"], cwd=FOLDER, check=True)
    total = survived = 0
    print(f"\n{'module':44}{'mutants':>9}{'killed':>9}")
    for path in results():
        codes = json.loads(path.read_text())["exit_code_by_key"]
        survivors = [name for name, code in codes.items() if code in SURVIVED]
        if codes:
            module = path.relative_to(FOLDER / "mutants").with_suffix("")
            print(f"{module!s:44}{len(codes):>9}{len(codes) - len(survivors):>9}", *survivors, sep="\n    ")
        total, survived = total + len(codes), survived + len(survivors)
    share = 100 * (total - survived) / total
    print(f"{'all':44}{total:>9}{total - survived:>9}   {share:.1f} %\nTo see one: cd .mutants && mutmut show NAME")
    sys.exit(share < NEEDED)


def results() -> list[Path]:
    return sorted(FOLDER.rglob("*.py.meta"))


def prepare_copy() -> None:
    """Keeps the results of functions that have not changed since the last run, but tries its survivors again."""
    FOLDER.mkdir(exist_ok=True)
    for name in ("tests", "pyproject.toml"):
        (FOLDER / name).unlink(missing_ok=True)
        (FOLDER / name).symlink_to(ROOT / name)
    for package, source in SOURCES.items():
        for file in source.rglob("*.py"):
            copy = FOLDER / package / file.relative_to(source)
            code = call_decorators_below(file.read_text())
            if not copy.exists() or copy.read_text() != code:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(code)
    shutil.rmtree(FOLDER / "mutants/tests", ignore_errors=True)
    (FOLDER / "mutants/mutmut-stats.json").unlink(missing_ok=True)
    for path in results():
        found = json.loads(path.read_text())
        codes = found["exit_code_by_key"].items()
        path.write_text(json.dumps(found | {"exit_code_by_key": {k: None if c in SURVIVED else c for k, c in codes}}))


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
    main()
