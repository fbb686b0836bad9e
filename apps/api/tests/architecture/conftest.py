"""The files that these tests read: all that the repository holds, and nothing that is made or fetched beside it."""

import os
from pathlib import Path

import pytest

from topcoin.infra.settings import REPOSITORY

KEPT = {".ci", ".github"}
MADE = {"__pycache__", "build", "dist", "node_modules"}
NAMES = {".gitignore", ".npmrc", "LICENSE", "Makefile", "run"}
SUFFIXES = {
    *(".css", ".html", ".ini", ".js", ".json", ".mako", ".md", ".py", ".sh", ".sql", ".toml", ".ts", ".tsx", ".txt"),
    *(".yaml", ".yml"),
}


@pytest.fixture(scope="session")
def repository_files() -> list[Path]:
    """Every file of the repository that somebody wrote, in order."""
    found: list[Path] = []
    for folder, subfolders, names in os.walk(REPOSITORY):
        subfolders[:] = [name for name in subfolders if name in KEPT or not (name in MADE or name.startswith("."))]
        paths = (Path(folder, name) for name in names)
        found += [path for path in paths if path.name in NAMES or path.suffix in SUFFIXES]
    assert REPOSITORY / "README.md" in found
    return sorted(found)
