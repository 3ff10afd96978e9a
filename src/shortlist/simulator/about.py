"""What a simulator says it is, so that nobody takes its drawings for a model's pictures."""

from __future__ import annotations

import platform

from shortlist.simulator.nodes import JsonObject
from shortlist.simulator.options import Version

DEVICE_NAME = "Shortlist simulator (draws, no model)"
"""The mark a client can tell a simulator by, in `/system_stats`."""

HOME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Shortlist simulator</title>
<body style="font: 16px/1.5 sans-serif; max-width: 40em; margin: 4em auto; padding: 0 1em">
<h1>Shortlist simulator</h1>
<p>This server speaks ComfyUI's protocol and <b>draws</b> pictures with a program.
No model generates anything here. Use it to try Shortlist without a graphics card.</p>
<p>Point a backend of Shortlist at this address.</p></body></html>"""


def system_stats(version: Version) -> JsonObject:
    """What the server says it is: the shape of ComfyUI's answer, with a device that owns up."""
    memory = 8 * 1024**3
    system: JsonObject = {
        "os": "posix" if version is Version.OLD else "linux",
        "ram_total": memory,
        "ram_free": memory,
        "comfyui_version": version.value,
        "required_frontend_version": "",
        "installed_templates_version": "",
        "required_templates_version": "",
        "python_version": platform.python_version(),
        "pytorch_version": "none",
        "embedded_python": False,
        "argv": ["shortlist", "simulator"],
    }
    device: JsonObject = {
        "name": DEVICE_NAME,
        "type": "cpu",
        "index": None,
        "vram_total": memory,
        "vram_free": memory,
        "torch_vram_total": memory,
        "torch_vram_free": memory,
    }
    return {"system": system, "devices": [device]}
