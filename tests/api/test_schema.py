"""Requests made up from the hub's own description: no answer is a failure of the hub or unsaid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks

from shortlist.api.app import bare_app

if TYPE_CHECKING:
    from api.conftest import Started

schema = schemathesis.openapi.from_dict(bare_app().openapi()).exclude(path="/api/events")
"""Without the stream, which never ends."""

CHECKS = (checks.not_a_server_error,)


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_nothing_that_fits_the_description_breaks_the_hub(
    case: schemathesis.Case, running: Started
) -> None:
    answer = case.call(base_url=running.url)
    case.validate_response(answer, checks=CHECKS)
