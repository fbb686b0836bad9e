"""Money is never a float: where money is, no code makes one, names the type, or writes a literal of it."""

import ast
from collections.abc import Iterator

import pytest

from topcoin.infra.settings import REPOSITORY

TOPCOIN = REPOSITORY / "apps/api/topcoin"

WITH_MONEY = ("kernel", "ledger", "adjustments", "custody", "plans", "identity", "terms")

ALLOWED = {
    ("ledger/chain/domain.py", "_stored_integer"): (
        "RFC 8785 writes the numbers of metadata as IEEE 754 doubles; amounts are strings there"
    ),
    ("ledger/journal_files/domain.py", "_plain"): (
        "metadata's numbers become what JSON has everywhere else; amounts are read as decimals before"
    ),
    ("ledger/group_commit/service.py", ""): "time-outs, in seconds",
}
"""Where a float may be, by file and function, and why it is no money."""


def floats(source: str) -> Iterator[tuple[str, int]]:
    """Each place where a module has to do with floats: the function around it (or nothing), and the line."""
    yield from _floats_under(ast.parse(source), "")


def _floats_under(node: ast.AST, function: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if _is_float(child):
            yield inside, getattr(child, "lineno", 0)
        yield from _floats_under(child, inside)


def _is_float(node: ast.AST) -> bool:
    match node:
        case ast.Name(id="float") | ast.alias(name="float"):
            return True
        case ast.Attribute(
            attr="float32" | "float64" | "Float" | "Float32" | "Float64" | "Double" | "DOUBLE_PRECISION"
        ):
            return True
        case ast.Name(id="Float" | "Double" | "REAL" | "DOUBLE_PRECISION"):
            return True
        case ast.Constant(value=float()):
            return True
        case _:
            return False


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(x: float) -> None: ...", [("f", 1)]),
        ("def f(x):\n    return float(x)", [("f", 2)]),
        ("x: 'Decimal' = Decimal(1)\ny = x * 1.1", [("", 2)]),
        ("class A:\n    async def g(self): return map(float, [])", [("g", 2)]),
        ("a = mapped_column(sa.Float)\nb = Double()", [("", 1), ("", 2)]),
        ("amount = Decimal('1.1')", []),
    ],
)
def test_floats_are_found(source: str, found: list[tuple[str, int]]) -> None:
    assert list(floats(source)) == found


def test_no_float_is_near_money() -> None:
    files = [file for package in WITH_MONEY for file in (TOPCOIN / package).rglob("*.py")]
    found = {
        (str(file.relative_to(TOPCOIN)), function): line
        for file in files
        for function, line in floats(file.read_text("utf-8"))
    }
    assert {place: line for place, line in found.items() if place not in ALLOWED} == {}
    assert set(ALLOWED) - set(found) == set(), "an exception that nothing needs any more"
