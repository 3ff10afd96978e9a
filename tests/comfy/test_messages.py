from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy.recorded import SCENARIOS, answer_to, frame_of, http_steps, scenario, socket_texts
from shortlist.comfy.messages import (
    Cached,
    End,
    Executed,
    Executing,
    Failed,
    Interrupted,
    Kind,
    Message,
    Outcome,
    OutputFile,
    Over,
    Preview,
    Progress,
    ProgressState,
    Started,
    Status,
    Succeeded,
    Unknown,
    read_binary,
    read_history,
    read_text,
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def messages(name: str) -> list[Message]:
    return [read_text(frame) for frame in socket_texts(name)]


def outcome(name: str, *, nth: int = 0) -> Outcome:
    steps = [s for s in http_steps(name) if s["http"]["path"].startswith("/api/history/")]
    prompt_id = steps[nth]["http"]["path"].rpartition("/")[2]
    found = read_history(prompt_id, steps[nth]["answer"])
    assert found is not None
    return found


def kinds(told: list[Message], *, without: tuple[type[Message], ...]) -> list[str]:
    return [type(message).__name__ for message in told if not isinstance(message, without)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_recorded_frame_has_a_meaning(name: str) -> None:
    told = messages(name)
    told += [
        read_binary(frame_of(step["ws_binary"]))
        for step in scenario(name)["steps"]
        if "ws_binary" in step
    ]
    assert [message for message in told if isinstance(message, Unknown)] == []


def test_a_job_that_succeeds_says_so_before_it_is_over() -> None:
    told = messages("success")
    assert kinds(told, without=(Status, Progress, ProgressState)) == [
        "Started", "Cached", "Executing", "Executing", "Executing", "Executed", "Succeeded", "Over",
    ]  # fmt: skip
    executed = next(m for m in told if isinstance(m, Executed))
    assert executed.files == (OutputFile("9", "0f55fa3c_00001_.png", "rec", "output"),)
    assert {m.prompt_id for m in told if isinstance(m, Started | Succeeded | Over)} == {
        executed.prompt_id
    }


def test_progress_counts_up_to_its_end() -> None:
    ticks = [m for m in messages("success") if isinstance(m, Progress)]
    assert [(t.node, t.value, t.max) for t in ticks] == [("2", n, 3) for n in (1, 2, 3)]
    last = [m for m in messages("success") if isinstance(m, ProgressState)][-1]
    assert all(finished for *_, finished in last.nodes)


def test_a_cached_job_executes_no_node_and_names_the_old_file() -> None:
    second = messages("cached")
    start = [i for i, m in enumerate(second) if isinstance(m, Started)][1]
    assert not any(isinstance(m, Executing) for m in second[start:])
    cached = next(m for m in second[start:] if isinstance(m, Cached))
    assert cached.nodes == {"1", "9"}
    first, again = outcome("cached"), outcome("cached", nth=1)
    assert first.files == again.files
    assert (first.cached, again.cached) == (frozenset(), {"1", "9"})


def test_history_tells_success_with_its_files_and_times() -> None:
    done = outcome("success", nth=1)
    assert (done.end, done.failure) == (End.SUCCEEDED, None)
    assert [f.filename for f in done.stills("9")] == ["0f55fa3c_00001_.png"]
    assert done.no_still("9") == ""
    assert done.started_ms is not None
    assert done.ended_ms is not None
    assert done.ended_ms >= done.started_ms


def test_a_time_beyond_all_clocks_is_none() -> None:
    messages = [["execution_start", {"timestamp": 10**400}], ["execution_success", {}]]
    status = {"status_str": "success", "completed": True, "messages": messages}
    done = read_history("one", {"one": {"status": status, "outputs": {}}})
    assert done is not None
    assert done.started_ms is None


def test_history_is_silent_while_a_job_runs() -> None:
    assert read_history("x", answer_to("success", "/api/history/")) is None


def test_a_batch_keeps_its_order() -> None:
    names = [f.filename for f in outcome("batch").stills("9")]
    assert names == [f"bd6f73ef_0000{n}_.png" for n in (1, 2, 3)]


def test_a_failure_names_node_title_and_first_line() -> None:
    failed = outcome("fail_error")
    assert failed.end is End.FAILED
    assert failed.failure is not None
    assert (failed.failure.node, failed.failure.node_type) == ("3", "RxFail")
    assert failed.failure.sentence == "Failing step: boom: bad tensor"
    assert failed.failure.exception == "ValueError"
    assert not failed.failure.out_of_memory
    told = [m for m in messages("fail_error") if isinstance(m, Failed)]
    assert [(m.terminal, m.failure.line) for m in told] == [(True, "boom: bad tensor")]


def test_out_of_memory_is_recognised_by_either_way() -> None:
    held = outcome("fail_oom").failure
    assert held is not None
    assert held.out_of_memory
    assert held.line == "CUDA out of memory. Tried to allocate 20.00 GiB"
    assert all(m.failure.out_of_memory for m in messages("fail_oom") if isinstance(m, Failed))


@pytest.mark.parametrize(
    ("line", "exception"),
    [
        ("Allocation on device 0 would exceed allowed memory.", "RuntimeError"),
        ("MPS backend out of memory (MPS allocated: 9 GB)", "RuntimeError"),
        ("x", "torch.cuda.OutOfMemoryError"),
    ],
)
def test_other_words_for_out_of_memory_are_known(line: str, exception: str) -> None:
    data = {"exception_message": line, "exception_type": exception, "prompt_id": "p"}
    told = read_text(json.dumps({"type": "execution_error", "data": data}))
    assert isinstance(told, Failed)
    assert told.failure.out_of_memory


def test_a_job_that_fails_late_keeps_what_it_saved() -> None:
    failed = outcome("fail_after_output")
    assert failed.end is End.FAILED
    assert [f.filename for f in failed.stills("8")] == ["before_00001_.png"]


def test_an_interrupted_job_is_no_failure() -> None:
    stopped = outcome("interrupt")
    assert (stopped.end, stopped.failure) == (End.INTERRUPTED, None)
    assert any(isinstance(m, Interrupted) for m in messages("interrupt"))


def test_the_last_message_decides_whatever_the_status_says() -> None:
    entry = {
        "outputs": {},
        "status": {
            "status_str": "error",
            "messages": [["execution_error", {}], ["execution_success", {"timestamp": 5}]],
        },
    }
    done = read_history("p", {"p": entry})
    assert done is not None
    assert (done.end, done.ended_ms) == (End.SUCCEEDED, 5)


def test_a_blocked_branch_does_not_end_the_job() -> None:
    data = {"prompt_id": "p", "exception_type": "ExecutionBlocked", "exception_message": "no"}
    told = read_text(json.dumps({"type": "execution_error", "data": data}))
    assert isinstance(told, Failed)
    assert not told.terminal


def test_outputs_that_are_no_image_are_told_in_a_sentence() -> None:
    done = outcome("other_outputs")
    assert done.no_still("9") == ""
    assert done.no_still("6").startswith("The output node made a video or an animation (")
    assert done.no_still("5").startswith("The output node gave text.")
    assert done.no_still("77").startswith("The output node saved no file.")


@pytest.mark.parametrize(
    ("filename", "kind"),
    [
        ("a.PNG", Kind.STILL),
        ("b.webp", Kind.STILL),
        ("c.mp4", Kind.VIDEO),
        ("d.flac", Kind.AUDIO),
        ("e.glb", Kind.MODEL_3D),
        ("f.exr", Kind.OTHER),
        ("noextension", Kind.OTHER),
    ],
)
def test_a_file_is_judged_by_its_extension(filename: str, kind: Kind) -> None:
    assert OutputFile("1", filename, "", "output").kind is kind


def test_newer_entries_with_more_keys_and_strings_among_them_are_read() -> None:
    images = [
        {"filename": "a.png", "subfolder": "", "type": "output", "id": 5, "metadata": {"width": 1}},
        "3d/x.glb",
        None,
        {"subfolder": "no name"},
    ]
    entry = {"outputs": {"9": {"images": images, "animated": [True]}}, "status": {"messages": []}}
    done = read_history("p", {"p": entry})
    assert done is not None
    assert [f.filename for f in done.files] == ["a.png"]


def test_a_preview_with_metadata_names_its_job_and_node() -> None:
    frames = [
        s["ws_binary"] for s in scenario("feature_flags_previews")["steps"] if "ws_binary" in s
    ]
    told = read_binary(frame_of(frames[0]))
    assert isinstance(told, Preview)
    assert (told.prompt_id, told.node, told.mime) == ("p", "2", "image/jpeg")
    assert told.data.startswith(b"\xff\xd8")


def test_an_old_preview_names_neither() -> None:
    told = read_binary(struct.pack(">II", 1, 2) + b"\x89PNG")
    assert told == Preview("", "", "image/png", b"\x89PNG")


def test_text_that_no_database_takes_is_cleaned() -> None:
    data = {"exception_message": "a\x00b\ud800", "prompt_id": "p"}
    told = read_text(json.dumps({"type": "execution_error", "data": data}))
    assert isinstance(told, Failed)
    assert told.failure.line == "ab?"


@pytest.mark.parametrize(
    "frame", ["", "{", "[]", "3", '{"type":5}', '{"type":"status"}', "[" * 9000]
)
def test_a_malformed_text_frame_is_no_error(frame: str) -> None:
    read_text(frame)


@given(st.binary(max_size=40))
def test_no_binary_frame_is_an_error(frame: bytes) -> None:
    read_binary(frame)
    read_binary(struct.pack(">I", 4) + frame)


KNOWN = [
    "status", "executing", "progress", "progress_state", "executed", "execution_error",
    "execution_cached", "feature_flags",
]  # fmt: skip


@given(st.sampled_from(KNOWN), anything)
def test_no_message_of_a_known_type_is_an_error(kind: str, data: Any) -> None:
    read_text(json.dumps({"type": kind, "data": data}))


@pytest.mark.parametrize("count", ["1e999", "-1e999", "NaN", "9" * 400, "true"])
def test_a_number_beyond_all_measure_counts_as_none(count: str) -> None:
    frame = '{"type":"status","data":{"status":{"exec_info":{"queue_remaining":%s}}}}'
    assert read_text(frame % count) == Status(0, "")


@given(anything)
def test_no_history_answer_is_an_error(entry: Any) -> None:
    read_history("p", {"p": entry})
    read_history("p", entry)
