"""Works through files, standard input and addresses, and keeps what has become of each until all of them are done."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import orjson

from webhook.manifest import files
from webhook.manifest.files import STDIN, Problem
from webhook.meshing.outcome import Outcomes
from webhook.meshing.stream import Change, Rewritten, TooLarge, pieces, rewrite

# Bytes of a result that are kept in memory; what is longer goes to a temporary file.
_IN_MEMORY: Final = 8 * 1024 * 1024
# Seconds to wait for an address.
_WITHIN: Final = 30.0


@dataclass(slots=True)
class Worked:
    """One file, and what has become of it: `text` is a temporary file with its new text."""

    file: str
    text: IO[bytes]
    changed: bool = False
    outcomes: Outcomes = field(default_factory=Outcomes)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


def work(paths: Iterable[str], change: Change, problems: list[Problem], *, as_json: bool = False) -> Iterator[Worked]:
    """Each file of these paths, worked through. `problems` gets the paths that cannot be read.

    A path is a file, a folder, `-` for standard input, or an address that begins with https://. With `as_json`, the
    text is JSON, a document a line.
    """
    for path in paths:
        for file in [path] if _is_address(path) else files.expand(path, problems):
            with ExitStack() as stack:
                try:
                    source = stack.enter_context(_opened(file))
                except (OSError, ValueError) as error:
                    problems.append(Problem(file, 0, _why(error)))
                    continue
                try:
                    worked = _worked(file, source, change, as_json=as_json)
                except TooLarge as error:
                    problems.append(Problem(file, error.line, str(error)))
                    continue
                yield worked


def _is_address(path: str) -> bool:
    return path.startswith(("https://", "http://"))


def _why(error: OSError | ValueError) -> str:
    import urllib.error

    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"cannot be fetched: {error.reason}"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _opened(file: str) -> IO[bytes]:
    if file == STDIN:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    if file.startswith("http://"):
        raise ValueError("only addresses that begin with https:// are read")
    if _is_address(file):
        import urllib.request

        return urllib.request.urlopen(file, timeout=_WITHIN)  # type: ignore[no-any-return]  # noqa: S310
    return Path(file).open("rb")


def _worked(file: str, source: IO[bytes], change: Change, *, as_json: bool) -> Worked:
    worked = Worked(file, tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 - it outlives this function
    for before, data in pieces(source):
        _take(worked, data, rewrite(file, before, data, change, with_bodies=as_json), as_json=as_json)
    worked.text.seek(0)
    return worked


def _take(worked: Worked, data: bytes, rewritten: Rewritten, *, as_json: bool) -> None:
    """Put what has become of a piece behind the others."""
    worked.outcomes.extend(rewritten.outcomes)
    worked.problems += rewritten.problems
    worked.notes += rewritten.notes
    # What is not text is put out as it is, too.
    text = rewritten.text.encode() if rewritten.text or not rewritten.problems else data
    worked.changed = worked.changed or text != data
    if as_json:
        text = b"".join(orjson.dumps(body) + b"\n" for body in rewritten.bodies)
    worked.text.write(text)


def concatenated(results: Iterable[Worked], out: IO[bytes], *, as_json: bool) -> None:
    """Write the texts one after the other, with a separator between two streams of YAML."""
    last = b"\n"
    for number, worked in enumerate(results):
        worked.text.seek(0)
        begin = worked.text.read(3)
        worked.text.seek(0)
        if number and not as_json:
            out.write(b"" if last.endswith(b"\n") else b"\n")
            out.write(b"" if begin == b"---" else b"---\n")
        while block := worked.text.read(1 << 16):
            out.write(block)
            last = block


def difference(worked: Worked, original: bytes) -> Iterator[str]:
    """The unified diff from a file's text to what has become of it."""
    import difflib

    worked.text.seek(0)
    before, after = original.decode("utf-8", "replace"), worked.text.read().decode("utf-8", "replace")
    name = worked.file if worked.file != STDIN else "standard input"
    for line in difflib.unified_diff(_lines(before), _lines(after), name, name):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    # Only at line feeds: other line breaks may stand within values.
    return [line for line in text.replace("\n", "\n\0").split("\0") if line]


def put_back(worked: Worked) -> None:
    """Replace a file by what has become of it: at once and as a whole, with its owner and mode. Raises `OSError`."""
    path = Path(worked.file).resolve()
    status = path.stat()
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as new:
        try:
            worked.text.seek(0)
            shutil.copyfileobj(worked.text, new)
            new.flush()
            os.fsync(new.fileno())
            os.fchmod(new.fileno(), stat.S_IMODE(status.st_mode))
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(new.fileno(), status.st_uid, status.st_gid)
            Path(new.name).replace(path)
        except BaseException:
            Path(new.name).unlink(missing_ok=True)
            raise
