"""How a job ended and which files it left, as ComfyUI's history tells it.

Pure, and tolerant of every version: unknown keys are passed over, and what is malformed counts as
absent. A file's name is text of the server's: it is sent back to it and never used as a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shortlist.comfy.plain import JSON, a_dict, a_list, a_text, an_id, is_whole

MAX_FILES = 1_000
"""Files taken of one history entry; more is a lying server."""

_LATEST_MS = 2**53
"""Times are kept as floats of seconds: what is later than this is a lying clock."""

_OUT_OF_MEMORY = ("out of memory", "allocation on device", "not enough memory")


class Kind(StrEnum):
    """What a file is, judged by its name's extension; the key it stands under says nothing."""

    STILL = "still image"
    VIDEO = "video"
    AUDIO = "audio"
    MODEL_3D = "3D model"
    OTHER = "other file"


_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("png", "jpg", "jpeg", "webp"), Kind.STILL),
    **dict.fromkeys(("mp4", "webm", "mov", "mkv", "avi", "gif", "apng"), Kind.VIDEO),
    **dict.fromkeys(("flac", "mp3", "opus", "wav", "ogg", "m4a", "aac"), Kind.AUDIO),
    **dict.fromkeys(("glb", "gltf", "obj", "ply", "stl", "fbx", "usdz", "splat"), Kind.MODEL_3D),
}


_WORDS: Mapping[Kind, str] = {
    Kind.STILL: "a still image",
    Kind.VIDEO: "a video or an animation",
    Kind.AUDIO: "a sound",
    Kind.MODEL_3D: "a 3D model",
    Kind.OTHER: "a file that is no image",
}
_WAY_OUT = "Only still images are supported: bind the output to a Save Image node."
_NOTHING = (
    "The output node saved no file. Run the workflow in ComfyUI to see whether a switch or a filter"
    " in it lets no image through."
)


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file as the server names it. Its name is no path of ours: send it back, never open it."""

    node: str
    filename: str
    subfolder: str
    type: str

    @property
    def kind(self) -> Kind:
        """What the extension promises."""
        _, _, extension = self.filename.rpartition(".")
        return _KINDS.get(extension.lower(), Kind.OTHER)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job ended badly. `title` is the person's own name for the node, or empty."""

    node: str
    node_type: str
    title: str
    line: str
    exception: str
    out_of_memory: bool
    detail: str

    @property
    def sentence(self) -> str:
        """One line for a person."""
        where = self.title or self.node_type
        return f"{where}: {self.line}" if where else self.line


class End(StrEnum):
    """How a job ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished job as history tells it. `files` are those saved, also by a job that failed.

    `said` maps a node to the keys of its output, for a sentence about what is no file. The
    times are the server's own clock, milliseconds since 1970, or None where it sent none.
    """

    prompt_id: str
    end: End
    failure: Failure | None
    files: tuple[OutputFile, ...]
    cached: frozenset[str]
    said: Mapping[str, tuple[str, ...]]
    started_ms: int | None
    ended_ms: int | None

    def stills(self, node: str) -> tuple[OutputFile, ...]:
        """The node's image files in batch order."""
        return tuple(f for f in self.files if f.node == node and f.kind is Kind.STILL)

    def no_still(self, node: str) -> str:
        """One sentence on why the node gave no image; empty if it gave one."""
        if self.stills(node):
            return ""
        made = [f for f in self.files if f.node == node]
        if made:
            kinds = " and ".join(dict.fromkeys(_WORDS[f.kind] for f in made))
            return f"The output node made {kinds} ({made[0].filename[:80]}). {_WAY_OUT}"
        if "text" in self.said.get(node, ()):
            return f"The output node gave text. {_WAY_OUT}"
        if self.said.get(node):
            return f"The output node gave something else than files. {_WAY_OUT}"
        return _NOTHING


_ENDS = {
    "execution_success": End.SUCCEEDED,
    "execution_error": End.FAILED,
    "execution_interrupted": End.INTERRUPTED,
}


def read_history(prompt_id: str, answer: JSON) -> Outcome | None:
    """The outcome in the answer to `/history/{prompt_id}`; None while there is none."""
    entry = a_dict(a_dict(answer).get(prompt_id))
    if not entry:
        return None
    status, outputs = a_dict(entry.get("status")), a_dict(entry.get("outputs"))
    told = [_message(item) for item in a_list(status.get("messages"))]
    end, data = _end(told, status)
    files = tuple(f for node, said in outputs.items() for f in read_files(node, said))
    return Outcome(
        prompt_id=prompt_id,
        end=end,
        failure=read_failure(data, _graph(entry)) if end is End.FAILED else None,
        files=files[:MAX_FILES],
        cached=frozenset(
            an_id(node)
            for kind, held in told
            if kind == "execution_cached"
            for node in a_list(held.get("nodes"))
        ),
        said={node: tuple(a_dict(said)) for node, said in outputs.items()},
        started_ms=_stamp(told[:1]),
        ended_ms=_stamp(told[-1:]),
    )


def _message(item: JSON) -> tuple[str, dict[str, JSON]]:
    pair = a_list(item)
    return (a_text(pair[0]), a_dict(pair[1])) if len(pair) == 2 else ("", {})


def _end(
    told: list[tuple[str, dict[str, JSON]]], status: dict[str, JSON]
) -> tuple[End, dict[str, JSON]]:
    # The last message decides: cancelled and failed share status_str "error", and the flag behind
    # it can be left over from the job before.
    for kind, data in reversed(told):
        if kind in _ENDS:
            return _ENDS[kind], data
    return (End.SUCCEEDED if status.get("status_str") == "success" else End.FAILED), {}


def _stamp(told: list[tuple[str, dict[str, JSON]]]) -> int | None:
    value = told[0][1].get("timestamp") if told else None
    return value if is_whole(value) and 0 <= value < _LATEST_MS else None


def _graph(entry: dict[str, JSON]) -> dict[str, JSON]:
    prompt = a_list(entry.get("prompt"))
    return a_dict(prompt[2]) if len(prompt) > 2 else {}


def read_failure(data: dict[str, JSON], graph: dict[str, JSON]) -> Failure:
    node = an_id(data.get("node_id"))
    message = a_text(data.get("exception_message")).strip()
    frames = "".join(a_text(part) for part in a_list(data.get("traceback")))
    exception = a_text(data.get("exception_type"), limit=200)
    line = message.partition("\n")[0].strip() or exception or "The server gave no reason."
    blames = f"{exception}\n{line}".lower()
    meta = a_dict(a_dict(graph.get(node)).get("_meta"))
    return Failure(
        node=node,
        node_type=a_text(data.get("node_type"), limit=200),
        title=a_text(meta.get("title"), limit=200),
        line=line[:500],
        exception=exception,
        out_of_memory="outofmemory" in blames or any(words in blames for words in _OUT_OF_MEMORY),
        # ComfyUI sends the frames alone; the line that says what was raised belongs below them.
        detail=f"{frames}{exception}: {message}"[-8000:] if exception else f"{frames}{message}",
    )


def read_files(node: str, output: JSON) -> tuple[OutputFile, ...]:
    found: list[OutputFile] = []
    for held in a_dict(output).values():
        for item in a_list(held)[:MAX_FILES]:
            file = _file(node, a_dict(item))
            if file is not None:
                found.append(file)
    return tuple(found)


def _file(node: str, item: dict[str, JSON]) -> OutputFile | None:
    filename = a_text(item.get("filename"), limit=4096)
    if not filename:
        return None
    subfolder = a_text(item.get("subfolder"), limit=4096)
    return OutputFile(node, filename, subfolder, a_text(item.get("type"), limit=100) or "output")
