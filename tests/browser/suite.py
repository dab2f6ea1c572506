"""Runs tests in Pyodide: its arguments are a folder with pytest, and what pytest gets."""

from __future__ import annotations

import os
import sys


def main() -> int:
    packages, *arguments = sys.argv[1:]
    sys.path += [packages, "/src"]
    os.chdir("/src")
    import pytest

    # Nothing is written into the folder, and there is no second standard output to capture.
    return int(pytest.main(["-p", "no:cacheprovider", "--capture=sys", "--quiet", *arguments]))


if __name__ == "__main__":
    status = main()
    if status:
        raise SystemExit(status)
