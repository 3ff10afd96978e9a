"""The rendering process: reads pictures from standard input, answers on standard output.

Started by `renderer.py` and by nobody else. Answers are JSON and bytes, never pickles, because the
process has touched hostile files and the hub must be able to read what it says without trust.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import BinaryIO, TypedDict

from shortlist.images.model import ImageFault, ImageTooLarge

LENGTH = struct.Struct(">I")
Header = Mapping[str, object]


class Facts(TypedDict):
    """What an answer says of a rendered picture; its tiers follow as parts, in this order."""

    sha256: str
    media_type: str
    width: int
    height: int
    thumbhash: str
    tiers: list[int]


def main() -> None:
    """Answers one request after the other until the hub closes the pipe."""
    limit_memory(int(sys.argv[1]))
    # Control-C goes to the whole terminal group; the hub decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, BrokenPipeError), own_output() as answers:
        while True:
            header, parts = read_frame(sys.stdin.buffer)
            answers.writelines(frame(*answer(header, parts)))
            answers.flush()


@contextlib.contextmanager
def own_output() -> Iterator[BinaryIO]:
    """Standard output for answers alone; what a library prints goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with answers:
        yield answers


def limit_memory(size_bytes: int) -> None:
    """Caps this process where the system can; elsewhere the pixel limit has to do."""
    try:
        import resource
    except ImportError:  # Windows
        return
    with contextlib.suppress(ValueError, OSError):  # macOS refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (size_bytes, size_bytes))


def answer(header: Header, parts: Sequence[bytes]) -> tuple[Header, Sequence[bytes]]:
    """What the hub asked for, or the fault by its class name and sentence."""
    try:
        if header["ask"] == "changed_regions":
            return _changed_regions(parts[0], parts[1]), ()
        return _render(parts[0])
    except ImageFault as fault:
        return {"fault": type(fault).__name__, "sentence": fault.sentence}, ()
    except MemoryError:
        sentence = "The picture needs more memory than one picture may take."
        return {"fault": ImageTooLarge.__name__, "sentence": sentence}, ()


def _render(data: bytes) -> tuple[Header, Sequence[bytes]]:
    from shortlist.images.renditions import render

    rendered = render(data)
    facts = Facts(
        sha256=rendered.sha256,
        media_type=rendered.media_type,
        width=rendered.width,
        height=rendered.height,
        thumbhash=rendered.thumbhash.hex(),
        tiers=list(rendered.tiers),
    )
    return {"facts": facts}, list(rendered.tiers.values())


def _changed_regions(parent: bytes, child: bytes) -> Header:
    from shortlist.images.renditions import changed_regions

    return {"boxes": [asdict(box) for box in changed_regions(parent, child)]}


def frame(header: Header, parts: Sequence[bytes]) -> list[bytes]:
    """Length of the header, header, parts; the header tells the sizes of the parts."""
    head = json.dumps({**header, "sizes": [len(part) for part in parts]}).encode()
    return [LENGTH.pack(len(head)), head, *parts]


def read_frame(stream: BinaryIO) -> tuple[Header, list[bytes]]:
    """The next frame; `EOFError` where the stream ends, also in the middle of one."""
    (length,) = LENGTH.unpack(_exactly(stream, LENGTH.size))
    header = json.loads(_exactly(stream, length))
    return header, [_exactly(stream, size) for size in header["sizes"]]


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


if __name__ == "__main__":
    main()
