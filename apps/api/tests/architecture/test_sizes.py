"""A file fits a reader's head, and a function a screen. Migrations and SQL are histories and stay out of this."""

import ast
from collections.abc import Iterator
from pathlib import Path

from topcoin.infra.settings import REPOSITORY

API = REPOSITORY / "apps/api"

SOURCE_LINES_MAX = 400
TEST_LINES_MAX = 700
FUNCTION_LINES_MAX = 70


def sources() -> list[Path]:
    """What is shipped or run: not tests, not revisions."""
    folders = (API / name for name in ("topcoin", "bench", "scripts"))
    found = [API / "alembic/env.py", *(file for folder in folders for file in folder.rglob("*.py"))]
    assert len(found) > 1
    return found


def long_files(files: list[Path], lines_max: int) -> dict[str, int]:
    """Files of more lines than that, with how many they have."""
    lines = {str(file.relative_to(API)): len(file.read_text("utf-8").splitlines()) for file in files}
    return {name: count for name, count in lines.items() if count > lines_max}


def function_lengths(source: str) -> Iterator[tuple[str, int]]:
    """Every function of a module, nested ones too, with its lines from `def` to its end."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_lines_are_counted_from_def_to_the_end() -> None:
    assert dict(function_lengths("@x\ndef f():\n    async def g():\n        a\n        b\n    c")) == {"f": 5, "g": 3}


def test_source_files_are_not_long() -> None:
    assert long_files(sources(), SOURCE_LINES_MAX) == {}


def test_test_files_are_not_very_long() -> None:
    assert long_files([*(API / "tests").rglob("*.py")], TEST_LINES_MAX) == {}


def test_functions_are_not_long() -> None:
    assert {
        f"{file.relative_to(API)}: {name}": lines
        for file in sources()
        for name, lines in function_lengths(file.read_text("utf-8"))
        if lines > FUNCTION_LINES_MAX
    } == {}
