"""The application: routers, problems, the door, and the built page. It builds none of its rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from anyio import to_thread
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute

from shortlist import __version__
from shortlist.api import (
    autopsies,
    backends,
    checks,
    cull,
    failures,
    fours,
    gates,
    images,
    jobs,
    live,
    pipelines,
    problems,
    prompts,
    runs,
    session,
    status,
    triage,
)
from shortlist.api import trials as trying
from shortlist.api.deps import (
    CatalogueSource,
    Options,
    ProgressFeed,
    Rooms,
    TrialRunner,
    WildcardSource,
)
from shortlist.api.door import Door
from shortlist.images.blobs import Blobs
from shortlist.images.renderer import RendererPool
from shortlist.store.db import Database

THREADS: Final = 16
"""Endpoints at once: as many as the database has connections for readers."""

NO_PAGE: Final = (
    "This hub runs, but its web page was not built. Run make page in the source tree, or install "
    "a release. The interface for programs is under /api.\n"
)

PROBLEM: Final[dict[str, object]] = {
    "description": "What is wrong, in one sentence",
    "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

# Looked through in this order at every request: judging first, where a person waits.
ROUTERS: Final = (
    triage.router,
    runs.router,
    pipelines.router,
    checks.router,
    failures.router,
    trying.router,
    prompts.router,
    gates.router,
    cull.router,
    fours.router,
    autopsies.router,
    images.router,
    jobs.router,
    backends.router,
    live.router,
    status.router,
    session.router,
)


def create_app(
    database: Database,
    blobs: Blobs,
    *,
    renderer: RendererPool,
    options: Options,
    progress: ProgressFeed,
    catalogues: CatalogueSource,
    trials: TrialRunner,
    wildcards: WildcardSource,
) -> FastAPI:
    """The hub's interface over these rooms; `app.state.rooms` holds them, and the open streams."""
    app = bare_app()
    app.state.rooms = Rooms(
        database, blobs, renderer, options, progress, catalogues, trials, wildcards
    )
    app.add_middleware(Door, options=options)
    _add_page(app, options)
    return app


def bare_app() -> FastAPI:
    """The routes alone, enough to describe them."""
    app = FastAPI(
        title="Shortlist",
        version=__version__,
        description="The hub's interface; see docs/api.md.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        generate_unique_id_function=_named,
    )
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router, prefix="/api", responses={"default": PROBLEM})
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


def _named(route: APIRoute) -> str:
    return route.name


def _add_page(app: FastAPI, options: Options) -> None:
    if options.page is not None and (options.page / "index.html").is_file():
        app.frontend("/", directory=options.page, fallback="index.html")
        return

    @app.get("/", include_in_schema=False)
    def without_page() -> PlainTextResponse:
        return PlainTextResponse(NO_PAGE)
