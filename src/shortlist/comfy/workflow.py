"""The door to all that is done with workflows: import, bindings, checks, a job's graph. Pure.

The other rooms import from here; the modules behind it are this room's own.
"""

from __future__ import annotations

from shortlist.comfy.bindings import find_bindings
from shortlist.comfy.catalogue import Catalogue
from shortlist.comfy.check import Issue, IssueKind, check, outside_core
from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.graph import Graph, as_graph, as_json, name_of
from shortlist.comfy.imports import Form, Imported, parse
from shortlist.comfy.patch import SEED_TOP, Values, patch
from shortlist.comfy.roles import Bindings, Choice, Finding, Found, Role, Sure, Target

__all__ = [
    "SEED_TOP",
    "Bindings",
    "Catalogue",
    "Choice",
    "Finding",
    "Form",
    "Found",
    "Graph",
    "Imported",
    "Issue",
    "IssueKind",
    "Role",
    "Sure",
    "Target",
    "Values",
    "WorkflowFault",
    "as_graph",
    "as_json",
    "check",
    "find_bindings",
    "name_of",
    "outside_core",
    "parse",
    "patch",
]
