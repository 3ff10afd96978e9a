"""Everything that can go wrong with a ComfyUI server or a workflow, one class a kind.

    ComfyError              one sentence a person can act on
    ├─ Unreachable          no answer; `maybe_applied` says whether the request may have arrived
    ├─ Denied               the server or a proxy before it wants a login
    ├─ Refused              the server read the workflow and will not run it; `reasons` node by node
    ├─ ServerFault          an error status, or an error page instead of an answer
    ├─ BadAnswer            an answer that is not what ComfyUI answers
    ├─ TooLarge             an answer, file or upload over its limit
    ├─ FileMissing          the server no longer has that file
    ├─ BadAddress           a server address that can't be used
    └─ WorkflowFault        a workflow that can't be used; `items` name its nodes one by one

Nothing here is drawn from a server's traceback: those show paths of its machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ComfyError(Exception):
    """A failure told in one sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Unreachable(ComfyError):
    """No answer came."""

    def __init__(self, sentence: str, *, maybe_applied: bool = False) -> None:
        super().__init__(sentence)
        self.maybe_applied = maybe_applied


class Denied(ComfyError):
    """Status 401 or 403."""


class ServerFault(ComfyError):
    """An error status that is no refusal."""

    def __init__(self, sentence: str, *, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class BadAnswer(ComfyError):
    """The answer is not one of ComfyUI's."""


class TooLarge(ComfyError):
    """Over a limit of ours or of the server's."""


class FileMissing(ComfyError):
    """404 for a file the server named."""


class BadAddress(ComfyError):
    """An address that is malformed or that the hub must not call."""


class WorkflowFault(ComfyError):
    """A workflow that can't be used as it is."""

    def __init__(self, sentence: str, *, items: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.items = items


class RefusalKind(StrEnum):
    """Why a server refuses a workflow; ComfyUI's own words where it has one."""

    MISSING_NODE_TYPE = "missing_node_type"
    VALUE_NOT_IN_LIST = "value_not_in_list"
    REQUIRED_INPUT_MISSING = "required_input_missing"
    VALUE_OUT_OF_RANGE = "value_out_of_range"
    INVALID_INPUT_TYPE = "invalid_input_type"
    BAD_LINK = "bad_link"
    FILE_NOT_FOUND = "file_not_found"
    NO_OUTPUT = "prompt_no_outputs"
    CYCLE = "dependency_cycle"
    INVALID_PROMPT_ID = "invalid_prompt_id"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a refusal; `node` and `input` are empty where the server names none."""

    kind: RefusalKind
    sentence: str
    node: str = ""
    class_type: str = ""
    input: str = ""


class Refused(ComfyError):
    """The server will not run this workflow; sending it again changes nothing."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        super().__init__(" ".join(reason.sentence for reason in reasons[:5]))
        self.reasons = reasons

    @property
    def kinds(self) -> frozenset[RefusalKind]:
        """The kinds of all reasons."""
        return frozenset(reason.kind for reason in self.reasons)
