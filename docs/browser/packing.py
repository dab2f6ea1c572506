"""Packs Python for the browser into one script beside the site: Pyodide, viz.js and this package.

Nothing is loaded from elsewhere when the site is read. A browser reads no files for a page that was
opened from disk, but it does run scripts; so every file is a string in a script, compressed and in
base64, and the site works without a server, too.

package-lock.json pins what comes from npm, with checksums that npm verifies.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".venv" / "npm"

FROM_NPM = {
    "pyodide.mjs": "pyodide/pyodide.mjs",
    "pyodide.asm.mjs": "pyodide/pyodide.asm.mjs",
    "pyodide.asm.wasm": "pyodide/pyodide.asm.wasm",
    "python_stdlib.zip": "pyodide/python_stdlib.zip",
    "viz.js": "@viz-js/viz/dist/viz.js",
}
NOTICE = """\
/* Python for this site, in compressed parts, each with its own licence: CPython (PSF-2.0),
   Pyodide (MPL-2.0), viz.js (MIT) with Graphviz (EPL-2.0) and Expat (MIT), tinygrad_edu (MIT). */
"""


class Missing(Exception):
    """Something that packing needs isn't there; the message says what, and what to do."""


def from_npm() -> Path:
    """The folder node_modules with exactly what package-lock.json pins, installed if it isn't yet.

    Raises:
        Missing: without npm, or if npm fails, for instance without a network.
    """
    locked = (HERE / "package-lock.json").read_bytes()
    home = CACHE / hashlib.sha256(locked).hexdigest()[:16]
    if home.exists():
        return home / "node_modules"
    npm = shutil.which("npm")
    if npm is None:
        raise Missing("npm is not installed. Install Node.js 18 or later, which brings it.")
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=CACHE))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, fresh)
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(install, cwd=fresh, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(fresh)
        raise Missing(f"npm could not install Pyodide and viz.js: {done.stderr.strip()[-300:]}")
    try:
        fresh.rename(home)
    except OSError:  # another process was faster
        shutil.rmtree(fresh)
    return home / "node_modules"


def wheel() -> Path:
    """The wheel of this package as it is now, in a folder of its own.

    Raises:
        Missing: if it can't be built, which needs the packages build and hatchling.
    """
    folder = tempfile.mkdtemp()
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    done = subprocess.run(build, capture_output=True, text=True)
    if done.returncode:
        raise Missing(
            f"the wheel could not be built; pip install 'tinygrad-edu[dev]' brings what it needs: "
            f"{(done.stderr or done.stdout).strip()[-300:]}"
        )
    return next(Path(folder).glob("*.whl"))


def pack(path: Path) -> None:
    """Write the script.

    Raises:
        Missing: if something isn't there; then there is no script, not even one of before.
    """
    try:
        modules, built = from_npm(), wheel()
    except Missing:
        path.unlink(missing_ok=True)
        raise
    files = {name: (modules / place).read_bytes() for name, place in FROM_NPM.items()}
    files["tinygrad_edu.whl"] = built.read_bytes()
    shutil.rmtree(built.parent)
    for name in ("worker.js", "session.py"):
        files[name] = (HERE / name).read_bytes()
    about = json.loads((modules / "pyodide" / "pyodide-lock.json").read_bytes())
    files["lock.json"] = json.dumps({"info": about["info"], "packages": {}}).encode()
    packed = {
        name: base64.b64encode(gzip.compress(content, mtime=0)).decode()
        for name, content in files.items()
    }
    # Another build may be copying the folder just now: the script is there as a whole, or not yet.
    part = CACHE / f"{path.name}.{os.getpid()}"
    part.write_text(f"{NOTICE}globalThis.PYTHON = {json.dumps(packed)};\n", encoding="utf-8")
    part.replace(path)
