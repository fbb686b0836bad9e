"""Why an export ends without a file."""

from topcoin.kernel.errors import Invalid


class FileUnwritable(Invalid):
    """The file cannot be written where it was asked for."""

    code = "file_unwritable"
