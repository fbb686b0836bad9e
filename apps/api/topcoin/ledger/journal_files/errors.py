"""Why a file, or one line of it, is refused before the ledger sees it."""

from topcoin.kernel.errors import Forbidden, Invalid


class NotInProduction(Forbidden):
    """The command is a convenience that production does without."""

    code = "not_in_production"


class FileUnreadable(Invalid):
    """There is no such file, or it may not be read."""

    code = "file_unreadable"


class InvalidLine(Invalid):
    """A line that is no journal."""

    code = "invalid_line"


class LineTooLong(InvalidLine):
    """A line longer than any journal is."""

    code = "line_too_long"


class InvalidJson(InvalidLine):
    """A line that is not JSON in UTF-8."""

    code = "invalid_json"


class DuplicateKey(InvalidJson):
    """An object that says two things of one key."""

    code = "duplicate_key"


class MissingField(InvalidLine):
    """A field that every journal has is not there."""

    code = "missing_field"


class UnknownField(InvalidLine):
    """A field that means nothing here; passing over a misspelt one would post something else."""

    code = "unknown_field"


class InvalidField(InvalidLine):
    """A field that holds what it cannot hold."""

    code = "invalid_field"
