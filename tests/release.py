"""Checks what `make build` made, and tags the version, for `make release`.

python -m tests.release           what stands in the way, or what to do next
python -m tests.release --tag     tag the commit, too
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def version() -> str:
    """The version in pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (found,) = re.findall(r'^version = "(.+)"$', text, re.MULTILINE)
    return str(found)


def obstacles() -> list[str]:
    """All that has to be done before this version can be released."""
    found, now = [], version()
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = re.search(r"^## (.*)$", changes, re.MULTILINE)
    if heading is None or not heading[1].startswith(f"{now} "):
        found.append(f"The changelog must begin with '## {now} (the date)'.")
    if f'version: "{now}"' not in (ROOT / "CITATION.cff").read_text(encoding="utf-8"):
        found.append(f"CITATION.cff must have the version {now}.")
    files = sorted(path.name for path in (ROOT / "dist").glob("*"))
    if len(files) != 2 or any(f"-{now}" not in name for name in files):
        found.append(f"dist/ must hold the two files of {now} alone. Found: {files}. make build.")
    if _git("status", "--porcelain"):
        found.append("Everything must be committed.")
    if f"v{now}" in _git("tag").split():
        found.append(f"v{now} is tagged already: give the new version a new number.")
    return found


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def main(*arguments: str) -> int:
    found = obstacles()
    for obstacle in found:
        print(obstacle)
    if found:
        return 1
    files = sorted(map(str, (ROOT / "dist").glob("*")))
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)
    if "--tag" in arguments:
        _git("tag", "-a", f"v{version()}", "-m", f"Version {version()}")
    print(f"Next: git push --follow-tags, and {sys.executable} -m twine upload dist/*")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
