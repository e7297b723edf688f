"""The cache remembers, is shared, survives damage, stays small, and trusts nobody else's values."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from backendlint import cache
from backendlint.cache import Cache


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(cache.ENVIRONMENT, raising=False)
    return tmp_path / "home"


@contextmanager
def opened(folder: Path, **options: int) -> Iterator[Cache]:
    with closing(Cache.open(folder, **options)) as found:  # type: ignore[arg-type]
        yield found


def test_values_come_back_in_the_next_run(tmp_path: Path) -> None:
    items = {f"k{number}": b"v" * number for number in range(3000)}
    with opened(tmp_path / "c") as first:
        first.put_many("facts", items)
    with opened(tmp_path / "c") as second:
        assert second.get_many("facts", items) == items
        assert second.get_many("other", items) == {}
        assert second.get("facts", "missing") is None


def test_git_does_not_see_it_and_others_cannot_read_it(tmp_path: Path) -> None:
    with opened(tmp_path / "c"):
        pass
    assert (tmp_path / "c" / ".gitignore").read_text() == "*\n"
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "c" / cache.FILE).stat().st_mode & 0o777 == 0o600


def test_without_a_folder_nothing_is_remembered() -> None:
    nothing = Cache.open(None)
    nothing.put_many("facts", {"k": b"v"})
    assert nothing.get("facts", "k") is None
    assert nothing.problem is None


@pytest.mark.parametrize("damage", [b"", b"this is no database, but it is long enough to look like a file" * 20])
def test_damaged_file_is_rebuilt(tmp_path: Path, damage: bytes) -> None:
    with opened(tmp_path / "c") as first:
        first.put_many("facts", {"k": b"v"})
    cache._remove(tmp_path / "c")
    (tmp_path / "c" / cache.FILE).write_bytes(damage)
    with opened(tmp_path / "c") as second:
        assert second.get("facts", "k") is None
        second.put_many("facts", {"k": b"w"})
        assert second.get("facts", "k") == b"w"


def test_damaged_page_is_a_miss(tmp_path: Path) -> None:
    with opened(tmp_path / "c") as first:
        first.put_many("facts", {f"k{number}": os.urandom(3000) for number in range(300)})
    path = tmp_path / "c" / cache.FILE
    data = bytearray(path.read_bytes())
    data[8192 : len(data) // 2] = os.urandom(len(data) // 2 - 8192)
    path.write_bytes(data)
    with opened(tmp_path / "c") as second:
        assert len(second.get_many("facts", [f"k{number}" for number in range(300)])) < 300
        assert second.problem is not None
    with opened(tmp_path / "c") as third:
        third.put_many("facts", {"k": b"v"})
        assert third.get("facts", "k") == b"v"
        assert third.problem is None


def test_other_layout_is_rebuilt(tmp_path: Path) -> None:
    with opened(tmp_path / "c") as first:
        first.put_many("facts", {"k": b"v"})
    with closing(sqlite3.connect(tmp_path / "c" / cache.FILE)) as raw:
        raw.execute(f"PRAGMA user_version = {cache.LAYOUT + 1}")
    with opened(tmp_path / "c") as second:
        assert second.get("facts", "k") is None
        assert second.problem is None


def test_value_written_without_the_key_is_not_believed(tmp_path: Path, home: Path) -> None:
    with opened(tmp_path / "c") as first:
        first.put_many("facts", {"k": b"v"})
    (home / "backendlint" / "key").unlink()
    with opened(tmp_path / "c") as second:
        assert second.get("facts", "k") is None


def test_value_moved_to_another_key_is_not_believed(tmp_path: Path) -> None:
    with opened(tmp_path / "c") as first:
        first.put_many("facts", {"k": b"v"})
        first.close()
        with closing(sqlite3.connect(tmp_path / "c" / cache.FILE)) as raw:
            raw.execute("UPDATE entry SET key = 'other'")
            raw.commit()
    with opened(tmp_path / "c") as second:
        assert second.get("facts", "other") is None


def test_folder_that_the_user_names_carries_its_key(tmp_path: Path, home: Path) -> None:
    with opened(tmp_path / "c", trusted=True) as first:
        first.put_many("facts", {"k": b"v"})
    assert not home.exists()
    with opened(tmp_path / "c", trusted=True) as second:
        assert second.get("facts", "k") == b"v"


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_folder_that_others_can_write_is_not_used(tmp_path: Path, mode: int) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c").chmod(mode)
    with opened(tmp_path / "c") as refused:
        assert refused.problem is not None and "others could write" in refused.problem
        refused.put_many("facts", {"k": b"v"})
        assert refused.get("facts", "k") is None


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with opened(tmp_path / "file" / "c") as refused:
        assert refused.problem is not None
        refused.put_many("facts", {"k": b"v"})
        assert refused.get("facts", "k") is None


def test_size_is_bounded_and_the_oldest_goes_first(tmp_path: Path) -> None:
    size = 20_000
    with opened(tmp_path / "c") as first:
        for number in range(50):
            first.put_many("facts", {f"k{number}": os.urandom(size)})
    with opened(tmp_path / "c", limit=size * 20) as second:
        left = second.get_many("facts", [f"k{number}" for number in range(50)])
    assert sorted(left, key=lambda key: int(key[1:])) == [f"k{number}" for number in range(36, 50)]
    assert (tmp_path / "c" / cache.FILE).stat().st_size < size * 20


def _write(folder: Path, name: str) -> None:
    with opened(folder) as mine:
        for number in range(50):
            mine.put_many("facts", {f"{name}{number}": b"v" * 5000})
            mine.get("facts", f"{name}{number}")


def test_concurrent_runs_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(tmp_path / "c", name)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    with opened(tmp_path / "c") as after:
        assert len(after.get_many("facts", [f"{name}{number}" for name in "abcd" for number in range(50)])) == 200


def test_forked_process_uses_a_connection_of_its_own(tmp_path: Path) -> None:
    with opened(tmp_path / "c") as shared:
        shared.put_many("facts", {"before": b"v"})

        def work() -> None:
            assert shared.get("facts", "before") == b"v"
            shared.put_many("facts", {"child": b"w"})

        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        shared.put_many("facts", {f"k{number}": b"v" for number in range(500)})
        child.join()
        assert child.exitcode == 0
        assert shared.get("facts", "child") == b"w"
        assert len(shared.get_many("facts", [f"k{number}" for number in range(500)])) == 500


def test_which_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.folder_for(tmp_path, None, None) == (tmp_path / ".backendlint_cache", False)
    assert cache.folder_for(tmp_path, "var/c", None) == (tmp_path / "var" / "c", False)
    assert cache.folder_for(tmp_path, "var/c", tmp_path / "x") == (tmp_path / "x", True)
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "env"))
    assert cache.folder_for(tmp_path, "var/c", None) == (tmp_path / "env", True)


def test_clear(tmp_path: Path) -> None:
    with opened(tmp_path / "c"):
        pass
    assert cache.clear(tmp_path / "c") is True
    assert cache.clear(tmp_path / "c") is False
