"""Each invariant that a package's README numbers says where it is enforced and where it is tested, by its number."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from topcoin.infra.settings import REPOSITORY

API = REPOSITORY / "apps/api"

NUMBER = re.compile(r"\b[A-Z]{3}-\d+\b")
DEFINITION = re.compile(r"^- (?:\*\*)?([A-Z]{3}-\d+)\b", re.MULTILINE)
STANDARDS = {"SHA-256", "UTF-8", "UTF-16"}


def numbers_in(*files: Path) -> set[str]:
    """The numbers that files cite."""
    return {number for file in files for number in NUMBER.findall(file.read_text("utf-8"))} - STANDARDS


def defined() -> list[str]:
    """The numbers that the packages' READMEs define, as often as they do."""
    return [
        number
        for readme in sorted((API / "topcoin").glob("*/README.md"))
        for number in DEFINITION.findall(readme.read_text("utf-8"))
    ]


def source_files() -> list[Path]:
    """Where rules are enforced. What Alembic generated from the models repeats their comments and does not count."""
    return [*(API / "topcoin").rglob("*.py"), *(API / "alembic/sql").rglob("*.sql")]


def proving_files() -> list[Path]:
    """Where rules are proved."""
    return [file for file in (API / "tests").rglob("*.py") if file.parent != Path(__file__).parent]


def test_every_invariant_is_defined_once() -> None:
    assert [number for number, times in Counter(defined()).items() if times > 1] == []


def out_of_line(numbers: list[str]) -> list[str]:
    """Numbers that do not follow the one before: of another package and not 1, or of the same and not the next."""
    parts = [(prefix, int(number)) for prefix, _, number in (each.partition("-") for each in numbers)]
    return [
        f"{prefix}-{number}"
        for (before, last), (prefix, number) in pairwise([("", 0), *parts])
        if number != (last + 1 if prefix == before else 1)
    ]


def test_numbers_of_a_package_run_from_one_without_gaps() -> None:
    assert {"ADJ-1", "MKT-1"} <= set(defined())
    assert out_of_line(defined()) == []


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        (["ABC-1", "ABC-2", "DEF-1"], []),
        (["ABC-1", "ABC-3"], ["ABC-3"]),
        (["ABC-2"], ["ABC-2"]),
        (["ABC-2", "ABC-1"], ["ABC-2", "ABC-1"]),
    ],
)
def test_a_gap_is_found(numbers: list[str], wrong: list[str]) -> None:
    assert out_of_line(numbers) == wrong


def test_every_invariant_is_cited_where_it_is_enforced() -> None:
    assert sorted(set(defined()) - numbers_in(*source_files())) == []


def test_every_invariant_is_cited_by_a_test() -> None:
    assert sorted(set(defined()) - numbers_in(*proving_files())) == []


def test_every_number_that_is_cited_is_defined(repository_files: list[Path]) -> None:
    """In code, tests and documents alike: a number that nothing defines is a slip, or was given up."""
    written = [file for file in repository_files if file.suffix in {".py", ".sql", ".md"} and file != Path(__file__)]
    assert sorted(numbers_in(*written) - set(defined())) == []
