#!/usr/bin/env sh
# The fast tests on every Python from 3.10 to 3.13 that this machine has, each in an
# environment of its own under .venv/. A version that is missing is skipped by name.
set -eu
cd "$(dirname "$0")/.."
for version in 3.10 3.11 3.12 3.13; do
    python=
    for found in "python$version" "$HOME"/.pyenv/versions/"$version".*/bin/python; do
        if "$found" -c '' 2>/dev/null; then # a shim may be there for a Python that is not
            python=$found
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "Python $version: not found here, skipped"
        continue
    fi
    echo "Python $version:"
    environment=.venv/python-$version
    [ -x "$environment/bin/python" ] || "$python" -m venv "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
    "$environment/bin/python" -m pytest --quiet --numprocesses auto --dist worksteal
done
