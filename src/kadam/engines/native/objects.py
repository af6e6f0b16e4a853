"""Object code on the disk, so that the next process need not compile it again.

A file is trusted only if it is the user's own and whole: its header names the key it was stored under, its length and
the SHA-256 of its payload. Whatever is wrong with the disk, Kadam works without it, and says nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import struct
import sys
import tempfile
import time
from pathlib import Path

from kadam.engines.native.stats import counters

MAGIC = b"kadam-o1"
HEADER = struct.Struct("<8s32sQ32s")  # magic, key, length of the payload, its SHA-256
SUFFIX = ".o"
DEFAULT_SIZE_MB = 256
BLOCK_BYTES = 4096  # what a small file takes on most disks
TOUCH_S = 24 * 3600  # a use is noted once a day
LEFTOVER_S = 3600  # an unfinished file this old belongs to a process that died
SCANS_PER_SIZE = 32  # the directory is looked through once per 1/32 of its bound that is stored


def directory() -> Path | None:
    """Where object code stands, or None where the cache is off or there is no place for it.

    KADAM_CACHE=off turns it off; KADAM_CACHE_DIR names the place. Else it is the system's place for caches.
    """
    if os.environ.get("KADAM_CACHE", "").lower() in ("off", "0", "no"):
        return None
    if named := os.environ.get("KADAM_CACHE_DIR"):
        return Path(named)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return Path(base, "kadam", "cache") if base else None
    if (base := os.environ.get("XDG_CACHE_HOME", "")).startswith("/"):
        return Path(base, "kadam")
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "kadam"


def load(key: bytes) -> bytes | None:
    """The object code stored under `key`, or None; a file that cannot be trusted is removed."""
    place = directory()
    if place is None:
        return None
    path = _path(place, key)
    try:
        if not _is_ours(os.stat(place)):
            return None
        with open(os.open(path, os.O_RDONLY | _NO_LINKS), "rb") as file:
            facts = os.fstat(file.fileno())
            payload = _payload(key, file.read()) if _is_ours(facts) else None
    except FileNotFoundError:
        return None
    except OSError:
        counters.objects_rejected += 1
        return None
    if payload is None:
        counters.objects_rejected += 1
        _remove(path)
    elif time.time() - facts.st_mtime > TOUCH_S:
        with contextlib.suppress(OSError):
            os.utime(path)
    return payload


def store(key: bytes, payload: bytes) -> bool:
    """Store object code under `key`; whether it worked. A reader sees all of the file or none of it."""
    place = directory()
    if place is None:
        return False
    unfinished = None
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(os.stat(place)):
            return False
        handle, unfinished = tempfile.mkstemp(suffix=".tmp", dir=place)  # mode 0600
        with open(handle, "wb") as file:
            file.write(HEADER.pack(MAGIC, key, len(payload), hashlib.sha256(payload).digest()))
            file.write(payload)
        os.replace(unfinished, _path(place, key))
    except OSError:
        if unfinished is not None:
            _remove(Path(unfinished))
        return False
    # Which stores look through the directory is the key's own chance: no counter is shared between processes.
    limit = _limit_bytes()
    if int.from_bytes(key[:4], "big") * limit < max(len(payload), BLOCK_BYTES) * SCANS_PER_SIZE << 32:
        shrink(place, limit)
    return True


def shrink(place: Path, limit_bytes: int) -> None:
    """Remove what was not used for longest, until three quarters of the bound are left."""
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        files = []
        for entry in entries:
            with contextlib.suppress(OSError):
                facts = entry.stat(follow_symlinks=False)
                if entry.name.endswith(".tmp") and time.time() - facts.st_mtime > LEFTOVER_S:
                    _remove(Path(entry.path))
                elif entry.name.endswith(SUFFIX):
                    files.append((facts.st_mtime_ns, max(facts.st_size, BLOCK_BYTES), entry.path))
        excess = sum(size for _, size, _ in files) - limit_bytes
        if excess <= 0:
            return
        excess += limit_bytes // 4
        for _, size, path in sorted(files):
            if excess <= 0:
                break
            _remove(Path(path))
            excess -= size


def _payload(key: bytes, content: bytes) -> bytes | None:
    """What a file holds, if it is whole and stored under `key`."""
    if len(content) < HEADER.size:
        return None
    magic, owner, length, digest = HEADER.unpack_from(content)
    payload = content[HEADER.size :]
    if (magic, owner, length) != (MAGIC, key, len(payload)) or hashlib.sha256(payload).digest() != digest:
        return None
    return payload


def _is_ours(facts: os.stat_result) -> bool:
    """Whether nobody but the user could have written a file or directory."""
    if not hasattr(os, "geteuid"):
        return True
    return facts.st_uid == os.geteuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _limit_bytes() -> int:
    try:
        return max(1, int(float(os.environ.get("KADAM_CACHE_SIZE_MB", DEFAULT_SIZE_MB)) * 2**20))
    except (ValueError, OverflowError):
        return DEFAULT_SIZE_MB << 20


def _path(place: Path, key: bytes) -> Path:
    return place / (key.hex() + SUFFIX)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
