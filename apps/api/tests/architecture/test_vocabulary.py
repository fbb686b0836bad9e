"""What is committed says nothing of the machine it was written on, nor of how the work was organised."""

import re
from pathlib import Path

import pytest

from topcoin.infra.settings import REPOSITORY

NOT_OURS_TO_SAY = {
    "a registry's host": re.compile(
        r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|yarnpkg\.com|proxy\.golang\.org)\b"
        r"|https?://[^\s/\"']*(?:pypi|registry|artifactory|nexus|mirror)"
        r"|--(?:extra-)?index-url\b|^\s*registry\s*=\s*[\"']?https?:",
        re.IGNORECASE | re.MULTILINE,
    ),
    "a folder of one machine": re.compile(
        r"(?<![\w.])/(?:home|Users)/\w|(?<![\w.])/(?:root|work|workspace|workspaces)/[\w.]|\b[A-Z]:\\\\?Users\b"
    ),
    "how the work was organised": re.compile(
        r"\b(?:session|issue|ticket|sprint|brief)s? (?:no\.? ?|number |#)?\d+\b|(?<![\w&/])#\d+\b(?![-\w])",
        re.IGNORECASE,
    ),
}


def slips(text: str) -> list[tuple[str, str]]:
    """What should not be said, as what kind, and in which words."""
    return [(kind, found[0]) for kind, pattern in NOT_OURS_TO_SAY.items() for found in pattern.finditer(text)]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("see https://files.pythonhosted.org/x", ["a registry's host"]),
        ("resolved https://npm-registry.example.com/x", ["a registry's host"]),
        ("pip --index-url x", ["a registry's host"]),
        ("cd /home/ada/topcoin", ["a folder of one machine"]),
        ("'/work/main'", ["a folder of one machine"]),
        ("fixes #12, of issue 3", ["how the work was organised", "how the work was organised"]),
        ("the registry of tables; as root in /root; network/root/x; #fff; &#39; a session of 3 hours", []),
    ],
)
def test_slips_are_found(text: str, kinds: list[str]) -> None:
    assert [kind for kind, _ in slips(text)] == kinds


def test_nothing_is_said_that_is_not_ours_to_say(repository_files: list[Path]) -> None:
    found = {
        str(file.relative_to(REPOSITORY)): said
        for file in repository_files
        if file != Path(__file__) and (said := slips(file.read_text("utf-8")))
    }
    assert found == {}
