"""The job routes that newer ComfyUI versions have: one object per job, and a cancel that hits
exactly that job."""

from __future__ import annotations

import json
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from shortlist.simulator.engine import Engine
from shortlist.simulator.jobs import Jobs
from shortlist.simulator.nodes import JsonObject
from shortlist.simulator.transfers import answer


@dataclass(frozen=True, slots=True)
class JobRoutes:
    """`/api/jobs` over the queue and history of one simulator."""

    jobs: Jobs
    engine: Engine

    async def page(self, request: Request) -> Response:
        query = request.query_params
        wanted = query["status"].split(",") if "status" in query else None
        known = [
            self._job(prompt_id, state=state)
            for prompt_id, state in self.jobs.everything()
            if wanted is None or state in wanted
        ]
        offset = int(query.get("offset", "0"))
        limit = int(query["limit"]) if "limit" in query else None
        shown = known[offset:][:limit]
        pagination: JsonObject = {
            "offset": offset,
            "limit": limit,
            "total": len(known),
            "has_more": offset + len(shown) < len(known),
        }
        return answer({"jobs": shown, "pagination": pagination})

    async def one(self, request: Request) -> Response:
        job_id = str(request.path_params["job_id"])
        state = dict(self.jobs.everything()).get(job_id)
        if state is None:
            return answer({"error": "Job not found"}, status=404)
        job = self._job(job_id, state=state)
        if entry := self.jobs.history.get(job_id):
            job |= {"outputs": entry.outputs, "execution_status": entry.told()["status"]}
        _, _, prompt, extra, _ = self.jobs.find(job_id)
        return answer(job | {"workflow": {"prompt": prompt, "extra_data": extra}})

    async def cancel(self, request: Request) -> Response:
        return answer({"cancelled": self._cancel(str(request.path_params["job_id"]))})

    async def cancel_many(self, request: Request) -> Response:
        body = json.loads(await request.body())
        ids = body.get("job_ids")
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            error = {"type": "invalid_ids", "message": "job_ids must be a list of ids"}
            return answer({"error": error}, status=400)
        cancelled = [self._cancel(each) for each in ids]  # all of them, not up to the first
        return answer({"cancelled": any(cancelled)})

    def _cancel(self, job_id: str) -> bool:
        if self.jobs.is_pending(job_id):
            self.jobs.delete(job_id)
            return True
        if self.jobs.is_running(job_id):
            self.engine.interrupt()
            return True
        return False

    def _job(self, job_id: str, *, state: str) -> JsonObject:
        number, _, _, extra, _ = self.jobs.find(job_id)
        job: JsonObject = {"id": job_id, "status": state, "priority": number}
        job["create_time"] = extra["create_time"]
        entry = self.jobs.history.get(job_id)
        if entry is None or state in ("pending", "in_progress"):
            return job
        job |= {
            "execution_start_time": entry.messages[0][1]["timestamp"],
            "execution_end_time": entry.messages[-1][1]["timestamp"],
            "outputs_count": len(entry.outputs),
        }
        if state == "failed":
            job["execution_error"] = entry.messages[-1][1]
        return job
