"""The arrows of DESIGN.md: a stage imports only earlier ones; and rooms stay small."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "backendlint"
RULES = SOURCE.parents[1] / "rules"
STAGES = ("discover", "parse", "facts", "project", "engines", "findings", "report")
"""In the order of the data's way."""
SHARED = {"errors", "config", "ruleset", "cache", "model"}
FILES = sorted(SOURCE.rglob("*.py"))
MAX_LINES = 400
MAX_FUNCTION_LINES = 60
of_files_and_rules = pytest.mark.parametrize(
    "path", [*FILES, *sorted(RULES.rglob("*.py"))], ids=lambda path: f"{path.parent.name}.{path.stem}"
)


def imports(path: Path) -> set[str]:
    """Dotted modules that the file imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(name_of(path).split(".")[: -node.level]) + "." if node.level else ""
            found |= {f"{package}{node.module}.{alias.name}" for alias in node.names}
    return found


def stage(dotted: str) -> str:
    """The part of ours that a module belongs to: `facts` for backendlint.facts.model."""
    part = dotted.split(".")[1] if dotted.startswith("backendlint.") else ""
    return "parse" if part == "lower" else part


def code_lines(path: Path) -> int:
    """Lines that hold code: without blank ones, comments and docstrings; 0 for a file of declarations alone."""
    text = path.read_text(encoding="utf-8")
    prose: set[int] = set()
    tree = ast.parse(text)
    if not any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree)):
        return 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            prose |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") and n not in prose for n, line in lines)


def name_of(path: Path) -> str:
    home = SOURCE.parent if path.is_relative_to(SOURCE) else RULES.parent
    return ".".join(path.relative_to(home).with_suffix("").parts)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_stage_imports_only_earlier_ones(path: Path) -> None:
    own = stage(name_of(path))
    if own in STAGES:
        later = STAGES[STAGES.index(own) + 1 :]
        # findings/model.py is the vocabulary of hits, which engines speak too.
        wrong = [
            dotted
            for dotted in imports(path)
            if (stage(dotted) in later and not dotted.startswith("backendlint.findings.model"))
            or stage(dotted) in ("cli", "pipeline", "api")
        ]
        assert not wrong
    elif own in SHARED:
        assert not [dotted for dotted in imports(path) if stage(dotted) in ("cli", "pipeline", "report", "engines")]
    elif own not in ("cli", "__main__"):
        assert not [dotted for dotted in imports(path) if stage(dotted) == "cli"]


@of_files_and_rules
def test_files_fit_in_the_head(path: Path) -> None:
    assert code_lines(path) <= MAX_LINES


@of_files_and_rules
def test_functions_fit_on_a_screen(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES]


def test_the_top_level_holds_texts() -> None:
    """No packages that were downloaded there."""
    files = [path for path in RULES.parent.iterdir() if path.is_file() and not path.name.startswith(".")]
    assert "pyproject.toml" in {path.name for path in files}
    assert not [path.name for path in files if b"\0" in path.read_bytes()]


def test_checks_import_only_the_api_of_ours() -> None:
    wrong = {
        str(path.relative_to(RULES)): dotted
        for path in sorted(RULES.rglob("*.py"))
        for dotted in imports(path)
        if dotted.split(".")[0] == "backendlint" and not dotted.startswith("backendlint.api")
    }
    assert not wrong
