"""Write docs/reference/errors.md: every code that TopCoin can answer with, from the classes that carry them.

    python scripts/error_codes.py            # writes the page
    python scripts/error_codes.py --check    # exits with 1 if the page is not up to date

The first paragraph of a class's docstring is the meaning of its code.
"""

import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import topcoin
from topcoin.http.errors import status_of
from topcoin.kernel import errors as kinds
from topcoin.kernel.errors import TopCoinError

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/errors.md"

_HEAD = """\
# Error codes

Made by `apps/api/scripts/error_codes.py` from the classes; change those, not this page.

A code is stable: programs may rely on it. Over HTTP it is the `code` of an `application/problem+json` document
(RFC 9457) with the status given here; a command ends with status 1 and prints it in brackets, or as JSON with `--json`.
The message beside a code says what happened and what to do, is written for people, and may change.

A code in *italics* stands for a group: the answer usually has a code of one of its members.
"""


def error_classes() -> list[type[TopCoinError]]:
    """Every class of error that the package defines, the kinds of the kernel first."""
    for module in walk_packages(topcoin.__path__, "topcoin."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    return sorted(
        _descendants(TopCoinError), key=lambda each: (package_of(each) != "kernel", package_of(each), each.code)
    )


def _descendants(kind: type[TopCoinError]) -> Iterator[type[TopCoinError]]:
    for heir in _heirs(kind):
        yield heir
        yield from _descendants(heir)


def _heirs(kind: type[TopCoinError]) -> list[type[TopCoinError]]:
    return [heir for heir in kind.__subclasses__() if heir.__module__.startswith("topcoin.")]


def package_of(kind: type[TopCoinError]) -> str:
    """The package that an error belongs to."""
    return kind.__module__.split(".")[1]


def kind_of(error: type[TopCoinError]) -> str:
    """The kernel's kind that an error is of."""
    return next(ancestor.__name__ for ancestor in error.__mro__ if ancestor.__module__ == kinds.__name__)


def page() -> str:
    """The whole page."""
    lines = [_HEAD]
    package = None
    for error in error_classes():
        if package_of(error) != package:
            package = package_of(error)
            lines.append(f"\n## {package}\n\n| code | status | kind | class | meaning |\n|---|---|---|---|---|\n")
        code = f"*`{error.code}`*" if _heirs(error) else f"`{error.code}`"
        lines.append(f"| {code} | {status_of(error)} | {kind_of(error)} | `{error.__name__}` | {_meaning(error)} |\n")
    return "".join(lines)


def _meaning(error: type[TopCoinError]) -> str:
    paragraph = (inspect.cleandoc(error.__doc__ or "")).split("\n\n")[0]
    return " ".join(paragraph.split()).replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Write the page, or compare it with `--check`."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python scripts/error_codes.py [--check]\n")
        return 2
    if not arguments:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write(f"{PAGE} is not up to date: run python scripts/error_codes.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
