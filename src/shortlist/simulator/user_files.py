"""What a person keeps on a server, as the editor saves and reads it: the workflows, above all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from shortlist.simulator.transfers import answer


@dataclass(frozen=True, slots=True)
class UserFiles:
    """The files of the one person a simulator knows; `root` is made when something is saved."""

    root: Path

    async def page(self, request: Request) -> Response:
        """Names below the folder asked for, in no order."""
        directory = request.query_params.get("dir", "")
        if not directory:
            return PlainTextResponse("Directory not provided", status_code=400)
        folder = self._path(directory)
        if folder is None:
            return PlainTextResponse("Invalid directory", status_code=403)
        if not folder.is_dir():
            return PlainTextResponse("Directory not found", status_code=404)
        deep = request.query_params.get("recurse", "").lower() == "true"
        found = folder.rglob("*") if deep else folder.glob("*")
        return answer([each.relative_to(folder).as_posix() for each in found if each.is_file()])

    async def one(self, request: Request) -> Response:
        path = self._path(request.path_params["file"])
        if path is None:
            return Response(status_code=403)
        return FileResponse(path) if path.is_file() else Response(status_code=404)

    async def save(self, request: Request) -> Response:
        path = self._path(request.path_params["file"])
        if path is None:
            return Response(status_code=403)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(await request.body())
        return answer(path.relative_to(self.root).as_posix())

    def _path(self, name: str) -> Path | None:
        """The file or folder of that name; null for one outside."""
        path = Path(os.path.normpath(self.root / name))
        return path if path.is_relative_to(self.root) else None
