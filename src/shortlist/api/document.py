"""The description of the interface, as committed in `docs/openapi.json`."""

from __future__ import annotations

import json

from shortlist.api.app import bare_app


def document() -> str:
    """The OpenAPI document of this version as JSON text, one line a value."""
    return json.dumps(bare_app().openapi(), indent=2, ensure_ascii=False) + "\n"
