"""What the documents name exists: files, headings, make targets, commands with their options, and codes of errors."""

import importlib.util
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from topcoin.entrypoints.cli.main import app
from topcoin.infra.settings import REPOSITORY
from topcoin.kernel.errors import TopCoinError

API = REPOSITORY / "apps/api"

ROOTS = (REPOSITORY, API, API / "topcoin")
"""Where a path in a document may begin, besides the document's own folder."""

NO_PATHS = {
    "bench/results/<date>.md": "made by `make bench`",
    "topcoin/ledger-entry/1": "what the bytes of an entry's canonical form begin with",
    "topcoin/ledger-journal/1": "likewise a journal's",
}
"""What looks like a path of the repository and is none, and why."""

FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)(?:(?: {4}.*)?\n)*(?: {4}.+)\n?")
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"[\w.<>*-]+(?:/[\w.<>*-]+)+/?")
OPTION = re.compile(r"--[a-z][a-z-]*")
WORD = re.compile(r"[a-z][a-z-]*")


@pytest.fixture(scope="module")
def documents(repository_files: list[Path]) -> dict[Path, str]:
    """Every Markdown file with its text."""
    return {file: file.read_text("utf-8") for file in repository_files if file.suffix == ".md"}


def name_of(file: Path) -> str:
    """A file as a reader of the repository names it."""
    return str(file.relative_to(REPOSITORY))


def code_in(text: str) -> list[str]:
    """The code of a document: its blocks' lines without comments, and its spans."""
    blocks = [*FENCED.findall(text), *INDENTED.findall(FENCED.sub("\n", text))]
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [*lines, *SPAN.findall(FENCED.sub("\n", text))]


def anchors_of(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCED.sub("\n", text), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)
    times = Counter[str]()
    anchors: set[str] = set()
    for anchor in plain:
        anchors.add(f"{anchor}-{times[anchor]}" if times[anchor] else anchor)
        times[anchor] += 1
    return anchors


def broken_link(file: Path, target: str) -> bool:
    """Whether a link leads nowhere inside the repository. Addresses outside of it are not asked."""
    if re.match(r"[a-z]+:", target):
        return False
    path, _, anchor = target.partition("#")
    found = (file.parent / path).resolve() if path else file
    if not found.is_relative_to(REPOSITORY) or not found.exists():
        return True
    return bool(anchor) and (found.suffix != ".md" or anchor not in anchors_of(found.read_text("utf-8")))


def test_links_lead_somewhere(documents: dict[Path, str]) -> None:
    broken = [
        f"{name_of(file)}: {target}"
        for file, text in documents.items()
        for target in LINK.findall(FENCED.sub("\n", text))
        if broken_link(file, target)
    ]
    assert broken == []


@pytest.mark.parametrize("target", ["absent.md", "README.md#no-such-heading", "../../etc/passwd", "#absent"])
def test_a_link_that_leads_nowhere_is_found(target: str) -> None:
    assert broken_link(REPOSITORY / "README.md", target)
    assert not broken_link(REPOSITORY / "README.md", "CONTRIBUTING.md#the-rules-that-matter-most")


def missing_path(file: Path, path: str) -> bool:
    """Whether code that looks like a path of the repository names nothing there. `<name>` stands for any name."""
    roots = (file.parent, *ROOTS)
    if (
        path in NO_PATHS
        or not PATH.fullmatch(path)
        or not any((root / path.partition("/")[0]).is_dir() for root in roots)
    ):
        return False
    pattern = re.sub(r"<[^>]*>", "*", path.rstrip("/"))
    return not any(found for root in roots for found in root.glob(pattern))


def test_paths_exist(documents: dict[Path, str]) -> None:
    missing = [
        f"{name_of(file)}: {span}"
        for file, text in documents.items()
        for span in SPAN.findall(FENCED.sub("\n", text))
        if missing_path(file, span)
    ]
    assert missing == []


def test_a_path_that_is_not_there_is_found() -> None:
    readme = REPOSITORY / "README.md"
    assert [missing_path(readme, path) for path in ("ledger/errors.py", "apps/api/requirements/*.txt", "a/b")] == [
        False,
        False,
        False,
    ]
    assert [missing_path(readme, path) for path in ("ledger/absent.py", "docs/absent/", "tests/<kind>/absent.py")] == [
        True,
        True,
        True,
    ]


def targets_in(code: str) -> Iterator[str]:
    """The targets of a `make` command."""
    words = code.split()
    if words[:1] == ["make"]:
        yield from (word for word in words[1:] if WORD.fullmatch(word))


def test_make_targets_exist(documents: dict[Path, str]) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        f"{name_of(file)}: {target}": target
        for file, text in documents.items()
        for code in code_in(text)
        for target in targets_in(code)
    }
    assert "setup" in targets
    assert "test" in named.values()
    assert [where for where, target in named.items() if target not in targets] == []


def commands_in(code: str) -> Iterator[list[str]]:
    """The words of each `topcoin` command of a line, the inner ones of `$(…)` too."""
    for part in re.split(r"\$\(|[|;>)]|&&", code):
        start = re.search(r"(?:^|[\s\"/])topcoin +(?=[a-z-])", part)
        if start:
            lexer = shlex.shlex(part[start.end() :].replace("…", " "), posix=True, punctuation_chars=False)
            lexer.whitespace_split = True
            lexer.quotes = "\"'" if part.count('"') % 2 == 0 and part.count("'") % 2 == 0 else ""
            yield list(lexer)


def unknown_word(words: list[str]) -> str | None:
    """The first word of a command line that is no command, or no option of the command, of the program."""
    command = typer.main.get_command(app)
    rest = iter(words)
    while isinstance(command, TyperGroup) and (word := next(rest, None)) is not None and not word.startswith("-"):
        found = command.commands.get(word)
        if not isinstance(found, TyperGroup | TyperCommand):
            return word
        command = found
    known = {"--help", *(name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts))}
    return next((word for word in words if OPTION.fullmatch(word) and word not in known), None)


def test_commands_and_their_options_exist(documents: dict[Path, str]) -> None:
    named = [
        (name_of(file), words)
        for file, text in documents.items()
        for code in code_in(text)
        for words in commands_in(code)
    ]
    assert ("README.md", ["migrate"]) in named
    assert [(file, words) for file, words in named if unknown_word(words) is not None] == []


@pytest.mark.parametrize(
    ("code", "unknown"),
    [
        ("topcoin ledger post journals.jsonl > first.jsonl", None),
        ('psql "$(topcoin database url --role owner)"', None),
        ('psql "$(topcoin database address)"', "address"),
        ("topcoin ledger export --shape beancount", "--shape"),
        ("topcoin credit", "credit"),
    ],
)
def test_a_command_that_is_not_there_is_found(code: str, unknown: str | None) -> None:
    assert [unknown_word(words) for words in commands_in(code)] == [unknown]


@pytest.fixture(scope="module")
def error_codes() -> Any:  # noqa: ANN401 - a script is a module without a name
    """The script that makes the page of codes."""
    spec = importlib.util.spec_from_file_location("error_codes", API / "scripts/error_codes.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_every_error_has_a_code_of_its_own_and_a_meaning(error_codes: Any) -> None:  # noqa: ANN401 - likewise
    errors: list[type[TopCoinError]] = error_codes.error_classes()
    assert len(errors) > 1
    carriers: dict[str, list[str]] = {}
    for error in errors:
        carriers.setdefault(error.code, []).append(f"{error.__module__}.{error.__name__}")
    assert {code: classes for code, classes in carriers.items() if len(classes) > 1} == {}
    assert [error for error in errors if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", error.code)] == []
    assert [error for error in errors if not vars(error).get("__doc__")] == []


def test_the_page_of_codes_is_up_to_date(error_codes: Any) -> None:  # noqa: ANN401 - likewise
    """`python scripts/error_codes.py` makes it anew."""
    assert error_codes.PAGE.read_text("utf-8") == error_codes.page()
