"""What tests begin with: a backend, a pipeline, an image that could become a candidate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path

from sqlalchemy import insert

import shortlist
from shortlist.comfy.workflow import Graph, as_graph
from shortlist.domain.model import BackendKind, GateKind, Health
from shortlist.services import pipelines
from shortlist.services.results import NewImage
from shortlist.store.db import Tx
from shortlist.store.schema import Backend

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
WORKFLOWS = Path(shortlist.__file__).parent / "simulator" / "workflows"
STEPS = {"Base": "base", "Face Fix": "face-fix", "Hand Fix": "hand-fix", "Upscale": "upscale"}

_numbers = count(1)


def a_graph(step: str) -> Graph:
    """The sample workflow of a step, in API format."""
    return as_graph(json.loads((WORKFLOWS / f"{STEPS[step]}.json").read_text("utf-8")))


def a_backend(tx: Tx, name: str = "gpu", url: str = "http://127.0.0.1:8188") -> int:
    """A server the database knows of; nothing listens there."""
    return tx.execute(
        insert(Backend).returning(Backend.id),
        {
            "name": name,
            "kind": BackendKind.COMFYUI,
            "url": url,
            "enabled": True,
            "health": Health.UNKNOWN,
            "health_detail": "",
            "version": "",
            "simulator": False,
            "created_at": NOW,
        },
    ).scalar_one()


def a_pipeline(
    tx: Tx, *, gates: Sequence[GateKind], max_children: Sequence[int | None] = ()
) -> int:
    """A pipeline of the first sample steps, as many as there are `gates`."""
    limits = [*max_children, *[None] * len(gates)]
    steps = [
        pipelines.NewStep(name, a_graph(name), None, limit, gate, None)
        for name, gate, limit in zip(STEPS, gates, limits, strict=False)
    ]
    return pipelines.create(tx, "Portrait", description="", steps=steps, now=NOW)


def an_image() -> NewImage:
    """An image with content of its own; no bytes lie behind it."""
    digest = sha256(str(next(_numbers)).encode()).hexdigest()
    key = f"{digest[:2]}/{digest[2:4]}/{digest}.png"
    return NewImage(key, digest, "image/png", 768, 1024, 1_000_000, "", [])
