"""Writing files atomically."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file atomically: at any moment, readers see either the old file or the new one.

    The content is written to a temporary file in the same folder, flushed to the disk, and renamed.
    A process that is killed before that leaves the old file, and a ``.….tmp`` file that can be
    deleted. The permissions of an existing file are kept, and a link stays a link.

    Args:
        path: the file to write.
        content: its new content.

    Raises:
        OSError: if it can't be written; an existing file is then unchanged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "a.txt"), b"one")
    ...     write_whole(Path(folder, "a.txt"), b"two")
    ...     [(path.name, path.read_bytes()) for path in Path(folder).iterdir()]
    [('a.txt', b'two')]
    """
    place = Path(os.path.realpath(path))  # the target of a link
    if place.exists() and not place.is_file():
        raise FileExistsError(None, "This path exists and is not a file", str(path))
    draft = place.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # otherwise a power failure may leave an empty file
        if place.exists():
            draft.chmod(place.stat().st_mode & 0o7777)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
