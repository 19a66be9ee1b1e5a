"""Files of the cache that only this user's processes can have written: a seal, made with a key that nobody else reads.

A cache folder may be shared, or lie where others may write. What is read from it decides what is run, so that what
bears no seal of ours is as if it were not there.
"""

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from bench.system.cache import cache_folder
from bench.system.plain_files import read_file

KEY = "key"  # in the cache folder
KEY_BYTES = 32
SEAL_BYTES = 64  # hexadecimal digits of SHA-256


def sealed(content: bytes) -> bytes | None:
    """The content with its seal before it; None where there can be no key."""
    key = _key()
    return None if key is None else _seal(key, content) + content


def unsealed(text: bytes) -> bytes | None:
    """What `sealed` was given; None where the seal is missing, or somebody else's."""
    key, seal, content = _key(), text[:SEAL_BYTES], text[SEAL_BYTES:]
    return content if key is not None and hmac.compare_digest(seal, _seal(key, content)) else None


def _seal(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).hexdigest().encode()


def _key() -> bytes | None:
    """This user's key, made when it is first needed; None where the file is not ours alone."""
    path = cache_folder() / KEY
    with suppress(OSError):  # also where it is there already
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
    try:
        key = read_file(path) if _is_ours_alone(path) else b""
    except OSError:
        return None
    return key if len(key) == KEY_BYTES else None


def _is_ours_alone(path: Path) -> bool:
    status = path.lstat()
    own = os.geteuid() if hasattr(os, "geteuid") else status.st_uid
    return stat.S_ISREG(status.st_mode) and status.st_uid == own and not stat.S_IMODE(status.st_mode) & 0o077
