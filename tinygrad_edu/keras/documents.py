"""JSON documents that are checked before they are believed: format, version, checksum, kinds.

The checksum finds damage. It is not a signature: anyone who changes a file on purpose can compute a
new one, so a document remains data of the right kinds and nothing more.
"""

from __future__ import annotations

import json
import os
from reprlib import repr as brief
from typing import Any

from ..errors import SavedModelError
from ..files import read_whole, write_whole
from ..schemas import check, checksum, parsed

FORMAT, VERSION = "tinygrad_edu model", 1
HEAD: dict[str, Any] = {"format": str, "version": int, "checksum": str}

_WIDTH = 90  # of a line, where its parts allow it


def write(path: str | os.PathLike[str], parts: dict[str, Any], schema: dict[str, Any]) -> None:
    """Write a document, whole or not at all.

    Args:
        path: where.
        parts: what; without the head.
        schema: what it must be, with the head: nothing is written that could not be read.

    Raises:
        SavedModelError: if the parts are not of the schema's kinds.
        FileError: if the file can't be written; an older one is then as it was.
    """
    head = {"format": FORMAT, "version": VERSION}
    whole = {**head, "checksum": checksum({**head, **parts}), **parts}
    check(whole, schema, "the model")
    write_whole(path, f"{pretty(whole)}\n".encode())


def read(path: str | os.PathLike[str], *schemas: dict[str, Any]) -> dict[str, Any]:
    """The content of a document, with every part checked.

    Args:
        path: of the file.
        schemas: what it may be: the one with the same keys is taken.

    Raises:
        SavedModelError: if it is anything else, with what it is instead.
        FileError: if it can't be read.
    """
    content = read_whole(path)
    try:
        parts = parsed(content.decode())
    except ValueError as error:
        raise SavedModelError(
            f"It is not JSON, or was cut off or damaged: {error}. Received: {len(content)} bytes "
            f"that begin with {content[:20]!r}. Take another copy."
        ) from error
    if not isinstance(parts, dict) or parts.get("format") != FORMAT:
        raise SavedModelError(
            f"It is JSON, but not a model that tinygrad_edu saved, which has "
            f'"format": "{FORMAT}". Received: {brief(parts)}.'
        )
    if type(parts.get("version")) is not int or parts["version"] != VERSION:
        raise SavedModelError(
            f"This tinygrad_edu reads version {VERSION} of the format. Received: version "
            f"{brief(parts.get('version'))}. Load it with the tinygrad_edu that saved it."
        )
    if parts.get("checksum") != checksum(parts):
        raise SavedModelError(
            f"It was changed or damaged since it was saved: its checksum is {checksum(parts)}. "
            f"Received: {brief(parts.get('checksum'))}. Take another copy; or load that, change "
            f"the model in Python and save it again."
        )
    check(parts, next((s for s in schemas if s.keys() == parts.keys()), schemas[0]), "the file")
    return dict(parts)


def pretty(x: Any, indent: str = "") -> str:
    """JSON to be read by people: what fits stands on one line, long rows of numbers are filled.

    >>> print(pretty({"name": "dense", "weights": [[0.1] * 30], "bias": [0.0, 0.0]}))
    {
      "name": "dense",
      "weights": [
        [
          0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1,
          0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1
        ]
      ],
      "bias": [0.0, 0.0]
    }
    """
    line = json.dumps(x, ensure_ascii=False, allow_nan=False)
    if not isinstance(x, (dict, list)) or len(indent + line) <= _WIDTH:
        return line
    inner = f"{indent}  "
    if isinstance(x, dict):
        name_of = [json.dumps(name, ensure_ascii=False) for name in x]
        rows = [f"{name}: {pretty(part, inner)}" for name, part in zip(name_of, x.values())]
    elif any(isinstance(item, (dict, list)) for item in x):
        rows = [pretty(item, inner) for item in x]
    else:
        texts = [json.dumps(item, ensure_ascii=False) for item in x]
        each = max(1, _WIDTH // (2 + max(map(len, texts))))
        rows = [", ".join(texts[i : i + each]) for i in range(0, len(texts), each)]
    begin, end = line[0], line[-1]
    return f"{begin}\n{inner}" + f",\n{inner}".join(rows) + f"\n{indent}{end}"
