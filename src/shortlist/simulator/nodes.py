"""The node classes a simulator knows and what each does with its inputs.

A graph for the simulator looks like any ComfyUI graph; only the checkpoint's name decides what a
sampling pass draws: `sketch-base` a new figure, `sketch-face` a new face, `sketch-hands` new hands,
`sketch-detail` finer detail. Nothing here knows of queues, sockets or time passing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TypeAlias

from PIL import Image, ImageOps

from shortlist.simulator import painter
from shortlist.simulator.files import Folders, OutsideFolder, Place, chunks_of, digest
from shortlist.simulator.painter import Drawing

JsonObject: TypeAlias = dict[str, object]

MAX_BATCH = 8
"""A drawn batch stays small, whatever is asked for: each image costs real time."""


class OutOfMemory(Exception):
    """A node that would need more memory than there is; reported as torch's own error."""


@dataclass(frozen=True, slots=True)
class Latent:
    """What stands for a latent: a size, and the drawings where pixels were encoded."""

    size: tuple[int, int]
    count: int
    drawings: tuple[Drawing, ...] = ()


@dataclass(frozen=True, slots=True)
class Pace:
    """How a node spends its time: `ticks` reports over `seconds`, with previews or without."""

    ticks: int = 0
    seconds: float = 0.0
    preview: bool = False
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a node hands on: one value per output slot, and what it shows, if it shows anything."""

    values: tuple[object, ...] = ()
    shown: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One node about to run: its inputs with links resolved, and the job around it."""

    inputs: Mapping[str, object]
    folders: Folders
    prompt: Mapping[str, object] = field(default_factory=dict)
    pnginfo: object = None

    def text(self, name: str) -> str:
        return str(self.inputs[name])

    def whole(self, name: str) -> int:
        value = self.inputs[name]
        if not isinstance(value, (int, float)):
            raise TypeError(f"{name} is not a number")
        return int(value)

    def number(self, name: str) -> float:
        value = self.inputs[name]
        if not isinstance(value, (int, float)):
            raise TypeError(f"{name} is not a number")
        return float(value)

    def images(self, name: str) -> tuple[Drawing, ...]:
        value = self.inputs[name]
        if not isinstance(value, tuple):
            raise TypeError(f"{name} is not an image")
        return value

    def latent(self, name: str) -> Latent:
        value = self.inputs[name]
        if not isinstance(value, Latent):
            raise TypeError(f"{name} is not a latent")
        return value


def no_pace(inputs: Mapping[str, object], seconds: float) -> Pace:
    return Pace()


def no_check(inputs: Mapping[str, object], folders: Folders) -> tuple[str, str] | None:
    return None


def no_fingerprint(inputs: Mapping[str, object], folders: Folders) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClass:
    """A node class: its `/object_info` entry and its behaviour."""

    info: JsonObject
    run: Callable[[Call], Done]
    pace: Callable[[Mapping[str, object], float], Pace] = no_pace
    """Inputs and the seconds a sampling pass takes → how this node spends its time."""
    check: Callable[[Mapping[str, object], Folders], tuple[str, str] | None] = no_check
    """What ComfyUI's custom validation would object to: input name and message."""
    fingerprint: Callable[[Mapping[str, object], Folders], str] = no_fingerprint
    """What besides the inputs makes a cached result stale."""

    @property
    def is_output(self) -> bool:
        return self.info["output_node"] is True

    @property
    def slots(self) -> tuple[object, ...]:
        """The type of each output slot."""
        slots = self.info["output"]
        return tuple(slots) if isinstance(slots, list) else ()


@cache
def catalogue() -> Mapping[str, NodeClass]:
    """The built-in node classes by name."""
    text = resources.files(__package__).joinpath("object_info.json").read_text("utf-8")
    infos: dict[str, JsonObject] = json.loads(text)
    special = {
        "LoadImage": NodeClass(
            info=infos["LoadImage"], run=_load_image, check=_file_is_there, fingerprint=_bytes_of
        ),
        "KSampler": NodeClass(info=infos["KSampler"], run=_sample, pace=_sampling_pace),
        "ImageUpscaleWithModel": NodeClass(
            info=infos["ImageUpscaleWithModel"], run=_upscale_model, pace=_upscaler_pace
        ),
    }
    plain = {name: NodeClass(info=infos[name], run=run) for name, run in _PLAIN.items()}
    return {name: (special | plain)[name] for name in infos}


def object_info(classes: Mapping[str, NodeClass], folders: Folders) -> dict[str, JsonObject]:
    """`/object_info` as of now: LoadImage lists the top level of the input folder."""
    infos = {name: node.info for name, node in classes.items()}
    listed = [folders.top_level(Place.INPUT), {"image_upload": True}]
    infos["LoadImage"] = infos["LoadImage"] | {"input": {"required": {"image": listed}}}
    return infos


def _load_image(call: Call) -> Done:
    path = call.folders.annotated(call.text("image"))
    drawing = painter.load(path.read_bytes())
    mask = Image.new("L", (64, 64))
    return Done(((drawing,), mask))


def _file_is_there(inputs: Mapping[str, object], folders: Folders) -> tuple[str, str] | None:
    name = str(inputs.get("image", ""))
    try:
        there = folders.annotated(name).is_file()
    except OutsideFolder:
        there = False
    return None if there else ("image", f"Invalid image file: {name}")


def _bytes_of(inputs: Mapping[str, object], folders: Folders) -> str:
    try:
        return digest(folders.annotated(str(inputs.get("image", ""))))
    except (OSError, OutsideFolder):
        return "missing"


def _empty_image(call: Call) -> Done:
    color = call.whole("color")
    rgb = (color >> 16 & 255, color >> 8 & 255, color & 255)
    image = Image.new("RGB", (call.whole("width"), call.whole("height")), rgb)
    return Done(((Drawing(image),) * call.whole("batch_size"),))


def _scale(call: Call) -> Done:
    size = (call.whole("width"), call.whole("height"))
    return Done((tuple(_resized(drawing, size, call) for drawing in call.images("image")),))


def _scale_by(call: Call) -> Done:
    factor = call.number("scale_by")
    images = call.images("image")
    return Done((tuple(painter.resized(d, _times(d.image.size, factor)) for d in images),))


def _resized(drawing: Drawing, size: tuple[int, int], call: Call) -> Drawing:
    width, height = drawing.image.size
    # ComfyUI reads a 0 as "keep the proportions".
    wide = size[0] or max(1, round(width * size[1] / height))
    high = size[1] or max(1, round(height * size[0] / width))
    if call.text("crop") == "center":
        return Drawing(ImageOps.fit(drawing.image, (wide, high)))
    return painter.resized(drawing, (wide, high))


def _times(size: tuple[int, int], factor: float) -> tuple[int, int]:
    wide, high = round(size[0] * factor), round(size[1] * factor)
    if not (wide and high):
        raise ValueError(f"an image of {size[0]} x {size[1]} can't be scaled by {factor}")
    return wide, high


def _invert(call: Call) -> Done:
    return Done((tuple(Drawing(ImageOps.invert(d.image)) for d in call.images("image")),))


def _empty_latent(call: Call) -> Done:
    size = (call.whole("width"), call.whole("height"))
    return Done((Latent(size, min(call.whole("batch_size"), MAX_BATCH)),))


def _checkpoint(call: Call) -> Done:
    name = call.text("ckpt_name")
    return Done((name, name, name))


def _encode_text(call: Call) -> Done:
    return Done((call.text("text"),))


def _encode_pixels(call: Call) -> Done:
    drawings = call.images("pixels")
    return Done((Latent(drawings[0].image.size, len(drawings), drawings),))


def _decode(call: Call) -> Done:
    latent = call.latent("samples")
    blank = Drawing(Image.new("RGB", latent.size, (127, 127, 127)))
    return Done((latent.drawings or (blank,) * latent.count,))


def _upscale_loader(call: Call) -> Done:
    return Done((call.text("model_name"),))


def _upscale_model(call: Call) -> Done:
    images = call.images("image")
    return Done((tuple(painter.resized(d, _times(d.image.size, 2)) for d in images),))


def _upscaler_pace(inputs: Mapping[str, object], seconds: float) -> Pace:
    return Pace(ticks=1, seconds=seconds / 5, model=str(inputs["upscale_model"]))


def _sample(call: Call) -> Done:
    latent = call.latent("latent_image")
    seed, prompt = call.whole("seed"), call.text("positive")
    draw = _PASSES.get(call.text("model").removesuffix(".safetensors"))
    if draw is None or not latent.drawings:
        drawn = tuple(
            painter.draw_base(_of_batch(seed, place), prompt=prompt, size=latent.size)
            for place in range(latent.count)
        )
    else:
        drawn = tuple(
            draw(parent, _of_batch(seed, place)) for place, parent in enumerate(latent.drawings)
        )
    return Done((Latent(drawn[0].image.size, len(drawn), drawn),))


_PASSES: Mapping[str, Callable[[Drawing, int], Drawing]] = {
    "sketch-face": painter.fix_face,
    "sketch-hands": painter.fix_hands,
    "sketch-detail": painter.add_detail,
}


def _of_batch(seed: int, place: int) -> int:
    """The seed itself for the first image of a batch, a derived one for the others."""
    if not place:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/{place}".encode()).digest()[:6], "big")


def _sampling_pace(inputs: Mapping[str, object], seconds: float) -> Pace:
    steps = inputs["steps"]
    ticks = steps if isinstance(steps, int) else 20
    return Pace(ticks=ticks, seconds=seconds, preview=True, model=str(inputs["model"]))


def _save(call: Call) -> Done:
    return _write(call, prefix=call.text("filename_prefix"), place=Place.OUTPUT)


def _preview(call: Call) -> Done:
    return _write(call, prefix=call.folders.temp_prefix, place=Place.TEMP)


def _write(call: Call, *, prefix: str, place: Place) -> Done:
    entries: list[object] = []
    for number, drawing in enumerate(call.images("images")):
        chunks = chunks_of(call.prompt, call.pnginfo) | painter.chunk_of(drawing)
        saved = call.folders.save_png(
            drawing.image, prefix=prefix, place=place, chunks=chunks, batch_number=number
        )
        entries.append(saved.entry())
    return Done(shown={"images": entries})


def _show_text(call: Call) -> Done:
    return Done(shown={"text": [str(call.inputs["source"])]})


def _save_webp(call: Call) -> Done:
    saved = call.folders.save_animation(
        [drawing.image for drawing in call.images("images")],
        prefix=call.text("filename_prefix"),
        fps=call.number("fps"),
    )
    return Done(shown={"images": [saved.entry()], "animated": [True]})


_PLAIN: Mapping[str, Callable[[Call], Done]] = {
    "EmptyImage": _empty_image,
    "ImageScale": _scale,
    "ImageScaleBy": _scale_by,
    "ImageInvert": _invert,
    "SaveImage": _save,
    "PreviewImage": _preview,
    "EmptyLatentImage": _empty_latent,
    "CheckpointLoaderSimple": _checkpoint,
    "CLIPTextEncode": _encode_text,
    "VAEDecode": _decode,
    "VAEEncode": _encode_pixels,
    "UpscaleModelLoader": _upscale_loader,
    "PreviewAny": _show_text,
    "SaveAnimatedWEBP": _save_webp,
}
