"""Reading files, and writing files that appear complete or not at all; their errors in words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .errors import FileError

_ADVICE: Final = {
    errno.ENOENT: "Is the path right?",
    errno.ENOTDIR: "Is the path right?",
    errno.EISDIR: "Give the path of a file.",
    errno.EEXIST: "Give the path of a file.",
    errno.ENOSPC: "The disk is full: free some space, or choose another disk.",
    errno.EDQUOT: "Your share of the disk is full: free some space, or choose another disk.",
    errno.EACCES: "Choose a place that you may use, or change its permissions.",
    errno.EPERM: "Choose a place that you may use, or change its permissions.",
    errno.EROFS: "Choose a place that you may write to.",
    errno.ENAMETOOLONG: "Give it a shorter name.",
}


@contextmanager
def file_errors(path: str | os.PathLike[str], verb: str) -> Iterator[None]:
    """Within this block a file is read or written; all that goes wrong becomes a `FileError`.

    Args:
        path: the file.
        verb: "read" or "written".

    >>> with file_errors("a\\0b", "read"):
    ...     Path("a\\0b").read_bytes()
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.FileError: 'a\\x00b' can't be read: No file can have this name. ...
    """
    try:
        yield
    except (OSError, ValueError) as error:
        reason = "No file can have this name. Choose another."  # it has a NUL, or lone surrogates
        if isinstance(error, OSError):
            advice = _ADVICE.get(error.errno or 0, "")
            if error.errno == errno.ENOENT and verb == "written":
                advice += " Make its folder first."
            reason = f"{error.strerror or error}. {advice}".rstrip()
        raise FileError(f"{os.fspath(path)!r} can't be {verb}: {reason}", reason) from error


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """The content of a file.

    Raises:
        FileError: if it can't be read.
    """
    with file_errors(path, "read"):
        return Path(path).read_bytes()


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file atomically: at any moment, readers see either the old file or the new one.

    The content is written to a temporary file in the same folder, flushed to the disk, and renamed.
    A process that is killed before that leaves the old file, and a ``.….tmp`` file that can be
    deleted. The permissions of an existing file are kept, and a link stays a link.

    Args:
        path: the file to write.
        content: its new content.

    Raises:
        FileError: if it can't be written; an existing file is then unchanged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "a.txt"), b"one")
    ...     write_whole(Path(folder, "a.txt"), b"two")
    ...     [(path.name, path.read_bytes()) for path in Path(folder).iterdir()]
    [('a.txt', b'two')]
    """
    with file_errors(path, "written"):
        place = Path(os.path.realpath(path))  # the target of a link
        if place.exists() and not place.is_file():
            raise FileExistsError(errno.EEXIST, "This path exists and is not a file")
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
