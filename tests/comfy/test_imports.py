from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfy.recorded import full_catalogue, graph_of, http_steps
from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.metadata import MAX_TEXT_BYTES, Embedded, read_embedded
from shortlist.comfy.workflow import Form, parse

GRAPH = graph_of("success")
EDITOR: dict[str, Any] = {
    "nodes": [
        {"id": 1, "type": "EmptyImage", "widgets_values": [64, 64, 1, 0]},
        {"id": 9, "type": "SaveImage", "inputs": [{"name": "images", "type": "IMAGE", "link": 1}],
         "widgets_values": ["x"]},
    ],
    "links": [[1, 1, 0, 9, 0, "IMAGE"]],
}  # fmt: skip


def png(texts: dict[str, str], *, packed: bool = False, international: bool = False) -> bytes:
    info = PngInfo()
    for key, text in texts.items():
        if international:
            info.add_itxt(key, text, zip=packed)
        else:
            info.add_text(key, text, zip=packed)
    held = io.BytesIO()
    Image.new("RGB", (4, 4)).save(held, "PNG", pnginfo=info)
    return held.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def with_chunk(picture: bytes, added: bytes) -> bytes:
    """The PNG with a chunk before its end."""
    return picture[:-12] + added + picture[-12:]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (GRAPH, Form.API),
        ({"prompt": GRAPH, "client_id": "x"}, Form.API),
        ({"output": GRAPH, "workflow": EDITOR}, Form.API),
        ([3, "id", GRAPH, {}, ["9"]], Form.HISTORY),
        ({"prompt": [3, "id", GRAPH, {}, ["9"]], "outputs": {}}, Form.HISTORY),
    ],
)
def test_a_graph_is_recognised_in_each_wrapping(value: Any, form: Form) -> None:
    made = parse(json.dumps(value))
    assert (made.graph, made.form) == (GRAPH, form)


def test_a_history_answer_is_recognised() -> None:
    answers = [s["answer"] for s in http_steps("success") if "/api/history/" in s["http"]["path"]]
    assert parse(json.dumps(answers[1])).graph == GRAPH


def test_a_submitted_job_keeps_its_editor_form() -> None:
    body = {"prompt": GRAPH, "extra_data": {"extra_pnginfo": {"workflow": EDITOR}}}
    assert parse(json.dumps(body)).editor == EDITOR


def test_a_byte_order_mark_does_no_harm() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps(GRAPH).encode()).graph == GRAPH


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("international", [False, True])
def test_a_picture_gives_what_really_ran(packed: bool, international: bool) -> None:
    texts = {"prompt": json.dumps(GRAPH), "workflow": json.dumps(EDITOR)}
    made = parse(png(texts, packed=packed, international=international))
    assert (made.graph, made.form, made.editor) == (GRAPH, Form.PICTURE, EDITOR)


def test_a_picture_with_only_an_editor_workflow_is_converted() -> None:
    made = parse(png({"workflow": json.dumps(EDITOR)}), full_catalogue())
    assert made.form is Form.PICTURE
    assert made.graph["9"]["inputs"]["images"] == ["1", 0]


def test_an_animated_png_carries_its_graph_after_the_image() -> None:
    text = b"prompt\0" + json.dumps(GRAPH).encode()
    assert parse(with_chunk(png({}), chunk(b"comf", text))).graph == GRAPH


def test_a_webp_carries_its_graph_in_exif() -> None:
    image = Image.new("RGB", (4, 4))
    exif = image.getexif()
    exif[0x0110] = f"prompt:{json.dumps(GRAPH)}"
    exif[0x010F] = f"workflow:{json.dumps(EDITOR)}"
    exif[0x010E] = 'shortlist:{"job": 7}'
    held = io.BytesIO()
    image.save(held, "WEBP", exif=exif)
    assert read_embedded(held.getvalue()) == Embedded(dict(GRAPH), EDITOR, {"job": 7})
    assert parse(held.getvalue()).graph == GRAPH


def test_our_own_mark_is_read_back() -> None:
    held = read_embedded(png({"shortlist": '{"job": 7, "score": NaN}'}))
    assert held == Embedded(None, None, {"job": 7, "score": None})


def test_a_picture_without_a_workflow_is_refused_in_a_sentence() -> None:
    with pytest.raises(WorkflowFault, match="carries no workflow"):
        parse(png({"parameters": "a cat, Steps: 20"}))


def test_a_text_that_unpacks_without_end_is_left_out() -> None:
    bomb = zlib.compress(b" " * (MAX_TEXT_BYTES + 1))
    picture = with_chunk(png({}), chunk(b"zTXt", b"prompt\0\0" + bomb))
    assert read_embedded(picture) == Embedded(None, None, None)


def test_a_huge_plain_text_is_left_out() -> None:
    text = b"prompt\0" + b" " * MAX_TEXT_BYTES
    assert read_embedded(with_chunk(png({}), chunk(b"tEXt", text))).prompt is None


@pytest.mark.parametrize("cut", [9, 20, 40, 60, 100])
def test_a_cut_or_damaged_picture_is_no_error(cut: int) -> None:
    picture = png({"prompt": json.dumps(GRAPH)}, packed=True)
    read_embedded(picture[:cut])
    read_embedded(picture[:cut] + b"\xff\xff\xff\xff" + picture[cut:])
    read_embedded(b"RIFF\0\0\0\0WEBPEXIF\xff\xff\xff\xff" + picture[:cut])
    read_embedded(b"RIFF\0\0\0\0WEBPEXIF\x20\0\0\0II*\0\xff\xff\0\0" + picture[:cut])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "The file is empty"),
        ("  \n", "The file is empty"),
        ('{\n "1": {"class_type": }', "broken at line 2, column 22"),
        ("[" * 60_000, "nested too deeply"),
        ("{" + '"a":{' * 200 + "}" * 201, "nested too deeply"),
        ("[1, 2]", "no ComfyUI workflow"),
        ('"text"', "no ComfyUI workflow"),
        ('{"hello": 1}', "no ComfyUI workflow"),
        ("{}", "no ComfyUI workflow"),
        ('{"prompt": {}}', "no ComfyUI workflow"),
        (b"\xff\xfe\x00", "neither JSON nor a PNG"),
        ('{"1": {"class_type": "A"}}', 'Node #1 .A. has no "inputs"'),
        ('{"1": {"class_type": "A", "inputs": {}}, "2": 5}', 'Node #2 has no "class_type"'),
        ('{"1": {"class_type": "A", "inputs": {"x": ["1", 0]}}}', "part of a loop"),
        (json.dumps(EDITOR), "editor's own format"),
        ('{"nodes": [5], "links": []}', "editor's own format"),
    ],
)  # fmt: skip
def test_what_is_no_workflow_is_refused_in_a_sentence(data: str | bytes, words: str) -> None:
    with pytest.raises(WorkflowFault, match=words) as caught:
        parse(data)
    assert caught.value.sentence.endswith(".")


def test_an_editor_file_of_broken_nodes_is_refused() -> None:
    with pytest.raises(WorkflowFault, match="without an id or a type"):
        parse('{"nodes": [5], "links": [3, [1], {"id": []}]}', full_catalogue())


def loop(size: int) -> str:
    links = {str(n): {"class_type": "A", "inputs": {"x": [str((n + 1) % size), 0]}}
             for n in range(size)}  # fmt: skip
    return json.dumps(links)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (" " * 50_000_000, "the limit is"),
        (json.dumps({str(n): {"class_type": "A", "inputs": {}} for n in range(100_000)}),
         "has 100000 nodes"),
        (loop(4_999), "part of a loop"),
        (json.dumps({"1": {"class_type": "A", "inputs": {"text": "x" * 3_000_000}}}),
         "holds a text of 3000000"),
    ],
    ids=["50 MB", "100,000 nodes", "a long loop", "a long text"],
)  # fmt: skip
def test_a_workflow_beyond_all_measure_is_refused_at_once(data: str, words: str) -> None:
    with pytest.raises(WorkflowFault, match=words):
        parse(data)


def test_values_that_no_database_takes_are_cleaned() -> None:
    data = '{"1": {"class_type": "A", "inputs": {"t": "a\\u0000b\\ud800", "n": NaN, "m": 1e999}}}'
    assert parse(data).graph["1"]["inputs"] == {"t": "ab?", "n": None, "m": None}


def test_an_empty_editor_file_is_named_as_empty() -> None:
    with pytest.raises(WorkflowFault, match="no node that is on"):
        parse('{"nodes": [], "links": [], "version": 0.4}', full_catalogue())
