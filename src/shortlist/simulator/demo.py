"""The sample of the demo: a four-step pipeline of the simulator's own workflows, and one run.

Two faces for each base, two hands for each face and one upscale for each of those are eleven images
a base: at two images a second, six bases of different fate reach the last step in a minute.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Final

from shortlist.comfy.workflow import Graph, as_graph
from shortlist.domain.model import GateKind
from shortlist.services import overview, pipelines, runs, trials
from shortlist.services.pipelines import NewStep
from shortlist.services.runs import NewRun
from shortlist.store.db import Tx

PIPELINE: Final = "Sample portrait"
TARGET_LEAVES: Final = 24
DESCRIPTION: Final = (
    "Drawn by the simulator, no model: a figure, its face, its hands, its sharpness."
)
PROMPT: Final = "a traveller in front of the mountains, evening light"


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    workflow: str
    children: int | None


STEPS: Final = (
    _Step("Base", "base", 2),
    _Step("Face Fix", "face-fix", 2),
    _Step("Hand Fix", "hand-fix", 1),
    _Step("Upscale", "upscale", None),
)


def workflow(name: str) -> Graph:
    """One of the workflows that the simulator can run: base, face-fix, hand-fix or upscale."""
    text = resources.files("shortlist.simulator").joinpath(f"workflows/{name}.json").read_text()
    return as_graph(json.loads(text))


def ensure(tx: Tx, *, target_leaves: int, now: datetime) -> int:
    """The sample run, made with its pipeline where there is none yet; returns its id."""
    for run in overview.views(tx):
        if run.pipeline_name == PIPELINE:
            return run.id
    steps = [
        NewStep(step.name, workflow(step.workflow), None, step.children, GateKind.AUTO, None)
        for step in STEPS
    ]
    pipeline_id = pipelines.create(tx, PIPELINE, description=DESCRIPTION, steps=steps, now=now)
    for step in pipelines.view(tx, pipeline_id).steps:
        trials.passed(tx, step.id, now=now)  # the simulator's own workflows run on it
    new = NewRun(
        pipeline_id=pipeline_id,
        name="Evening traveller",
        prompt=PROMPT,
        negative_prompt="",
        parameters={},
        max_children=2,
        target_leaves=target_leaves,
        base_count=3,
        priority=0,
    )
    return runs.create(tx, new, now=now)
