"""`X-Request-ID`: one name for a request in the answer, in every line of the log, and in the audit trail."""

import re
from typing import Final

from starlette.types import Scope

from topcoin.kernel.ids import new_id

REQUEST_ID_HEADER: Final = "X-Request-ID"

_KEY: Final = "topcoin.request_id"
_SANE: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")


def name_request(scope: Scope) -> str:
    """Keep the id that the caller sent, if it is one that can be logged and stored; else make one."""
    sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    request_id = sent.decode() if _SANE.fullmatch(sent) else str(new_id())
    scope[_KEY] = request_id
    return request_id


def request_id_of(scope: Scope) -> str:
    """The id of a request that has been named."""
    return scope.get(_KEY) or name_request(scope)
