"""The errors a person may see, one class a kind; every room above the wires raises these.

Problem                 what is wrong and what to do, with an HTTP status and an exit code
├─ BadInput       422   a value that can't be used
├─ NotFound       404   no such thing
├─ Conflict       409   right in itself, but not in the present state
├─ Unauthorised   401   no or a wrong token
├─ Forbidden      403   a request that this hub does not take from there
├─ TooLarge       413   a body over the limit
├─ Unavailable    503   the database or the disk can't take it now; try again
├─ BackendFault   502   a ComfyUI server did not do its part
└─ ConfigFault    500   the program can't start this way (command line only)
"""

from __future__ import annotations


class Problem(Exception):
    """A failure told in a noun phrase (`title`) and one sentence (`detail`)."""

    title = "Unexpected problem"
    status = 500
    exit_code = 1

    def __init__(self, detail: str, *, title: str | None = None, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.title = title or type(self).title
        self.extra = extra

    @property
    def type(self) -> str:
        """The RFC 9457 type: a relative reference made of the class's name."""
        words = "".join("-" + c.lower() if c.isupper() else c for c in type(self).__name__)
        return "/problems/" + words.lstrip("-")


class BadInput(Problem):
    title = "Unusable value"
    status = 422
    exit_code = 2


class NotFound(Problem):
    title = "Not found"
    status = 404
    exit_code = 4


class Conflict(Problem):
    title = "Conflict with the present state"
    status = 409
    exit_code = 5


class Unauthorised(Problem):
    title = "Token needed"
    status = 401
    exit_code = 6


class Forbidden(Problem):
    title = "Request refused"
    status = 403
    exit_code = 6


class TooLarge(Problem):
    title = "Too large"
    status = 413
    exit_code = 2


class Unavailable(Problem):
    title = "Not available now"
    status = 503
    exit_code = 7


class BackendFault(Problem):
    title = "ComfyUI server fault"
    status = 502
    exit_code = 8


class ConfigFault(Problem):
    title = "Can't start this way"
    status = 500
    exit_code = 3
