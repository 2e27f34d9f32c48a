"""Packed bytes of a submission: gzip that is the same for the same text, and unpacked only up to a limit."""

import gzip
import zlib
from pathlib import Path

LIMIT = 64 * 2**20
"""Bytes to which a file of rows may unpack."""

_CHUNK = 2**16


class PackedError(ValueError):
    """A packed file that cannot be used; the message says why."""


def pack(text: str) -> bytes:
    """Gzip without a time or a name: the same text gives the same bytes."""
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def unpack(path: Path, limit: int = LIMIT) -> str:
    """Text of a gzip file, read as a stream and given up as soon as it exceeds the limit.

    Raises:
        PackedError: it unpacks to more than the limit, is cut short, is no gzip, or is no UTF-8 text.
    """
    parts = bytearray()
    try:
        with gzip.open(path) as stream:
            while chunk := stream.read(_CHUNK):
                parts += chunk
                if len(parts) > limit:
                    raise PackedError(f"{path.name} unpacks to more than {limit} bytes")
        return parts.decode()
    except EOFError:
        raise PackedError(f"{path.name} is cut short; submit the whole file") from None
    except (gzip.BadGzipFile, zlib.error):
        raise PackedError(f"{path.name} is no sound gzip file") from None
    except UnicodeDecodeError:
        raise PackedError(f"{path.name} is no UTF-8 text") from None
