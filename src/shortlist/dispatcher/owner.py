"""The name of this process as the holder of leases, and whether another such name is history.

A hub that was killed and started again must not wait for its own lease to run out.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from uuid import uuid4


def new_name() -> str:
    """A name no other holder has: machine, process namespace, process, its start, a dice roll."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}/{uuid4().hex[:8]}"


def is_dead(name: str) -> bool:
    """True only where it is sure that the process of that name is gone."""
    parts = name.split("/")
    if len(parts) != 4 or parts[0] != _machine() or not parts[1].isdecimal():
        return False
    return _is_gone(int(parts[1]), started=parts[2])


def _machine() -> str:
    """The host and, where there are such, the namespace that process numbers are counted in."""
    try:
        namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}:{namespace}"


def _started(process: int) -> str:
    """When the process began, in ticks of the machine; empty where that can't be known."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text("utf-8")
    except OSError:
        return ""
    # The command, in brackets, may hold spaces; the start is the 20th word after it.
    return stat.rpartition(")")[2].split()[19]


def _is_gone(process: int, *, started: str) -> bool:
    if os.name == "nt":  # there the call below would end the process
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _started(process) != started
