"""Why something cannot be recorded as it is."""

from topcoin.kernel.errors import Invalid


class ReasonRequired(Invalid):
    """A sensitive action came without a reason."""

    code = "reason_required"


class Unrecordable(Invalid):
    """A value that has no canonical form, such as a float or a NUL character."""

    code = "unrecordable"
