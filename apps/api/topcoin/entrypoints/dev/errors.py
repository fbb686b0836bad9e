"""Why the development installation does not start, or ends."""

from topcoin.kernel.errors import Conflict, Forbidden, Unavailable


class DevRefused(Forbidden):
    """The command is for development: it makes people whose passwords everybody knows."""

    code = "dev_refused"


class AlreadyRunning(Conflict):
    """Another `topcoin dev` works on the data folder."""

    code = "dev_already_running"


class ServiceFailed(Unavailable):
    """A service did not start, or ended by itself."""

    code = "service_failed"


class ServiceRefused(Conflict):
    """A service could not start, and said why."""

    code = "service_refused"
