"""What earlier runs found, by content: one SQLite file that concurrent runs share.

Values are pickles, so whoever can write the file could run code. Two things prevent that: the folder and the file must
belong to the user alone, and every value carries a keyed digest. The key lies in the user's own cache folder, so that a
cache that arrives with a scanned repository is worthless. Only a folder that the user names on the command line or in
BACKENDLINT_CACHE_DIR may hold its own key (so that CI can carry it from run to run).

Nothing here raises: a cache that cannot be used is no cache.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

FOLDER = ".backendlint_cache"
ENVIRONMENT = "BACKENDLINT_CACHE_DIR"
FILE = "cache.sqlite3"
LAYOUT = 1
"""Of the tables; a file with another number is rebuilt."""
LIMIT_BYTES = 512 * 1024 * 1024
BUSY_SECONDS = 5.0
TOUCH_SECONDS = 24 * 3600
"""How stale the time of last use may be: a run that changes nothing writes nothing."""

_DIGEST = 16
_COMPRESS_ABOVE = 1 << 20
"""Bytes. Packing smaller values would cost more time than their space is worth: the facts of 150,000 lines take 18 MB."""
_CHUNK = 500
_TABLES = """
CREATE TABLE IF NOT EXISTS entry(
    kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (kind, key)
)
"""


class Cache:
    """An open cache, or (without a connection) one that remembers nothing. `problem` says why, if so."""

    def __init__(
        self, connection: sqlite3.Connection | None, key: bytes, problem: str | None = None, folder: Path | None = None
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._process = os.getpid()
        self._inherited: list[sqlite3.Connection] = []
        self._key = key
        self.problem = problem

    @classmethod
    def open(cls, folder: Path | None, *, trusted: bool = False, limit: int = LIMIT_BYTES) -> Cache:
        """Open the cache in `folder`, made if need be; None gives one that remembers nothing.

        `trusted`: the user named the folder, so it may hold the key to its own values.
        """
        if folder is None:
            return cls(None, b"")
        import sqlite3

        try:
            _prepare(folder)
            key = _secret(folder if trusted else user_folder())
        except OSError as error:
            return cls(None, b"", f"cache in {folder} not used: {error}")
        for attempt in (1, 2):
            try:
                cache = cls(_connect(folder / FILE), key, folder=folder)
            except sqlite3.OperationalError as error:
                return cls(None, b"", f"cache in {folder} not used: {error}")
            except sqlite3.DatabaseError as error:
                _remove(folder)
                if attempt == 2:
                    return cls(None, b"", f"cache in {folder} not used: {error}")
            else:
                cache._evict(limit)
                return cache
        return cls(None, b"")

    def get_many(self, kind: str, keys: Iterable[str]) -> dict[str, bytes]:
        """The values that are known, by key."""
        if self._connection is None:
            return {}
        wanted = list(keys)
        found: dict[str, bytes] = {}
        stale: list[str] = []
        now = int(time.time())
        for start in range(0, len(wanted), _CHUNK):
            part = wanted[start : start + _CHUNK]
            query = f"SELECT key, value, used FROM entry WHERE kind = ? AND key IN ({','.join('?' * len(part))})"
            for key, value, used in self._query(query, (kind, *part)):
                opened = self._unseal(kind, key, value)
                if opened is not None:
                    found[key] = opened
                    if now - used > TOUCH_SECONDS:
                        stale.append(key)
        if stale:
            self._write("UPDATE entry SET used = ? WHERE kind = ? AND key = ?", [(now, kind, key) for key in stale])
        return found

    def get(self, kind: str, key: str) -> bytes | None:
        """One value, or None."""
        return self.get_many(kind, [key]).get(key)

    def put_many(self, kind: str, items: Mapping[str, bytes]) -> None:
        """Remember values; a key that is known is replaced."""
        if self._connection is None or not items:
            return
        now = int(time.time())
        rows = [(kind, key, self._seal(kind, key, value), now) for key, value in items.items()]
        self._write("INSERT OR REPLACE INTO entry(kind, key, value, used) VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Give the file back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _query(self, sql: str, parameters: tuple[object, ...]) -> list[tuple[str, bytes, int]]:
        import sqlite3

        connection = self._own()
        if connection is None:
            return []
        try:
            return connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            self._give_up(f"cache not read: {error}", damaged=not isinstance(error, sqlite3.OperationalError))
            return []

    def _write(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        import sqlite3

        connection = self._own()
        if connection is None:
            return
        try:
            with connection:
                connection.executemany(sql, rows)
        except sqlite3.Error as error:
            self.problem = f"cache not written: {error}"

    def _own(self) -> sqlite3.Connection | None:
        """The connection of this process: one must not be used, nor closed, by a process that forked from its owner."""
        import sqlite3

        if self._connection is not None and self._folder is not None and self._process != os.getpid():
            self._inherited.append(self._connection)
            self._process = os.getpid()
            try:
                self._connection = _connect(self._folder / FILE)
            except sqlite3.Error as error:
                self._connection = None
                self.problem = f"cache not opened: {error}"
        return self._connection

    def _give_up(self, problem: str, *, damaged: bool) -> None:
        """Go on without the cache; a damaged file is removed, so that the next run builds another."""
        self.problem = problem
        self.close()
        if damaged and self._folder is not None:
            _remove(self._folder)

    def _digest(self, kind: str, key: str, body: bytes) -> bytes:
        label = f"{kind}\0{key}\0".encode()
        return hashlib.blake2b(label + body, key=self._key, digest_size=_DIGEST).digest()

    def _seal(self, kind: str, key: str, value: bytes) -> bytes:
        body = b"z" + zlib.compress(value, 1) if len(value) > _COMPRESS_ABOVE else b"-" + value
        return self._digest(kind, key, body) + body

    def _unseal(self, kind: str, key: str, sealed: bytes) -> bytes | None:
        digest, body = sealed[:_DIGEST], sealed[_DIGEST:]
        if not hmac.compare_digest(digest, self._digest(kind, key, body)):
            return None
        return zlib.decompress(body[1:]) if body[:1] == b"z" else body[1:]

    def _evict(self, limit: int) -> None:
        """Forget what was used longest ago until three quarters of the limit are left."""
        used = self._query(
            "SELECT '', x'', (SELECT page_count FROM pragma_page_count) * page_size FROM pragma_page_size", ()
        )
        if not used or used[0][2] <= limit:
            return
        import sqlite3

        assert self._connection is not None
        try:
            with self._connection:
                self._connection.execute(
                    "DELETE FROM entry WHERE rowid IN (SELECT rowid FROM (SELECT rowid, sum(length(value)) "
                    "OVER (ORDER BY used DESC, rowid DESC) AS total FROM entry) WHERE total > ?)",
                    (limit * 3 // 4,),
                )
            self._connection.execute("VACUUM")
        except sqlite3.Error as error:
            self.problem = f"cache not trimmed: {error}"


def folder_for(root: Path, configured: str | None, named: Path | None) -> tuple[Path, bool]:
    """The cache's folder, and whether the user (not the scanned project) named it."""
    if named is not None:
        return named.absolute(), True
    environment = os.environ.get(ENVIRONMENT)
    if environment:
        return Path(environment).absolute(), True
    return (root / configured if configured else root / FOLDER), False


def clear(folder: Path) -> bool:
    """Remove the cache's files; False where there were none."""
    there = (folder / FILE).exists()
    _remove(folder)
    return there


def user_folder() -> Path:
    """The user's own folder for backendlint's key."""
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base) / "backendlint" if base else Path.home() / ".cache" / "backendlint"


def _prepare(folder: Path) -> None:
    """Make the folder (mode 0700, unseen by git); raises PermissionError where others could write in it."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")
    for path in (folder, folder / FILE):
        _check_owner(path)


def _check_owner(path: Path) -> None:
    if not hasattr(os, "getuid"):
        return
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(f"{path} is a link, or others could write to it")


def _secret(folder: Path) -> bytes:
    """The key for digests, made at first use; raises OSError where it can neither be read nor kept."""
    path = folder / "key"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = folder / f"key.{os.getpid()}.{secrets.token_hex(4)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(32))
        finally:
            os.close(descriptor)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    _check_owner(path)
    key = path.read_bytes()
    if len(key) != 32:
        raise OSError(f"{path} is not a key of ours")
    return key


def _connect(path: Path) -> sqlite3.Connection:
    import sqlite3

    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
    try:
        (layout,) = connection.execute("PRAGMA user_version").fetchone()
        if layout not in (0, LAYOUT):
            raise sqlite3.DatabaseError("the layout of another version")
        if layout == 0:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(_TABLES)
            connection.execute(f"PRAGMA user_version = {LAYOUT}")
            connection.commit()
        connection.execute("PRAGMA synchronous = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _remove(folder: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        try:
            (folder / f"{FILE}{suffix}").unlink(missing_ok=True)
        except OSError:
            return
