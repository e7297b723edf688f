"""Facts of all files: cached by content, read in parallel, whatever single files do to their readers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backendlint.cache import Cache
from backendlint.config import Config
from backendlint.digests import digests
from backendlint.discover import SourceFile, discover
from backendlint.facts import extract as extract_module
from backendlint.facts.collect import INLINE_FILES, Collection, collect, module_name

MANY = INLINE_FILES + 5


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cache]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    with closing(Cache.open(tmp_path / "cache")) as opened:
        yield opened


def project(tmp_path: Path, files: dict[str, str]) -> tuple[SourceFile, ...]:
    root = tmp_path / "project"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return discover(root, [root], Config()).files


def many(tmp_path: Path) -> tuple[SourceFile, ...]:
    return project(tmp_path, {f"m{number:02}.py": f"def f{number}(): pass\n" for number in range(MANY)})


def read(files: tuple[SourceFile, ...], cache: Cache, **options: Any) -> Collection:
    known, problems = digests(files)
    assert problems == []
    return collect(
        files, known, cache=cache, jobs=options.pop("jobs", 2), seconds=options.pop("seconds", 20), **options
    )


def misbehave(monkeypatch: pytest.MonkeyPatch, path: str, act: Callable[[], object]) -> None:
    """Make the extraction of one file do `act` first, in this process and in those that fork from it."""
    real = extract_module.extract

    def extract(*arguments: Any, **named: Any) -> Any:
        if named["path"] == path:
            act()
        return real(*arguments, **named)

    monkeypatch.setattr(extract_module, "extract", extract)


def kinds(collection: Collection) -> list[tuple[str, str]]:
    return [(item.kind, item.location.path if item.location else "") for item in collection.notifications]


def spin() -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pass


def test_facts_of_every_file_in_path_order(tmp_path: Path, cache: Cache) -> None:
    files = project(
        tmp_path, {"b.py": "def g(): pass\n", "a/__init__.py": "", "a/c.py": "import b\n", "d.sql": "select 1"}
    )
    found = read(files, cache)
    assert [(path, facts.module, facts.is_package) for path, facts in found.files.items()] == [
        ("a/__init__.py", "a", True),
        ("a/c.py", "a.c", False),
        ("b.py", "b", False),
    ]
    assert [function.qualname for function in found.files["b.py"].functions] == ["", "g"]


def test_second_reading_comes_from_the_cache_and_is_equal(tmp_path: Path, cache: Cache) -> None:
    files = many(tmp_path)
    first, second = read(files, cache), read(files, cache)
    assert (first.from_cache, second.from_cache) == (0, MANY)
    assert first.files == second.files
    (tmp_path / "project" / "m03.py").write_text("x = 1\n")
    third = read(files, cache)
    assert third.from_cache == MANY - 1
    assert len(third.files["m03.py"].functions) == 1


def test_processes_and_one_process_agree(tmp_path: Path, cache: Cache) -> None:
    files = many(tmp_path)
    nothing = Cache.open(None)
    assert read(files, nothing, jobs=2).files == read(files, nothing, jobs=1).files


def test_reading_beside_other_threads(tmp_path: Path, cache: Cache) -> None:
    files = many(tmp_path)
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        assert list(read(files, cache).files) == [file.path for file in files]
    finally:
        done.set()
        other.join()


def test_progress_ends_at_the_total(tmp_path: Path, cache: Cache) -> None:
    seen: list[tuple[int, int]] = []
    read(many(tmp_path), cache, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (MANY, MANY)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize("jobs", [1, 2])
def test_file_that_takes_too_long(tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    misbehave(monkeypatch, "m07.py", spin)
    files = many(tmp_path)
    found = read(files, cache, jobs=jobs, seconds=0.3)
    assert kinds(found) == [("file-timeout", "m07.py")]
    assert found.notifications[0].level == "error"
    assert found.files["m08.py"].functions[1].name == "f8"
    assert found.files["m07.py"].functions[0].qualname == ""
    assert read(files, cache, jobs=1, seconds=0.3).from_cache == MANY - 1


def test_file_that_ends_its_worker_is_found_and_named(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    misbehave(monkeypatch, "m07.py", lambda: os.kill(os.getpid(), signal.SIGKILL))
    found = read(many(tmp_path), cache)
    assert kinds(found) == [("worker-died", "m07.py")]
    assert [len(facts.functions) for path, facts in found.files.items() if path != "m07.py"] == [2] * (MANY - 1)


def test_worker_that_python_cannot_interrupt_ends_itself(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGVTALRM})
        spin()

    misbehave(monkeypatch, "m07.py", stuck)
    assert kinds(read(many(tmp_path), cache, seconds=0.2)) == [("worker-died", "m07.py")]


def test_our_own_failure_is_named(tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise KeyError("oops")

    misbehave(monkeypatch, "a.py", fail)
    found = read(project(tmp_path, {"a.py": "", "b.py": "def g(): pass\n"}), cache)
    assert kinds(found) == [("file-failed", "a.py")]
    assert len(found.files["b.py"].functions) == 2


def test_file_that_vanishes_after_it_was_hashed(tmp_path: Path, cache: Cache) -> None:
    files = project(tmp_path, {"a.py": "", "b.py": ""})
    known, _ = digests(files)
    files[0].absolute.unlink()
    found = collect(files, known, cache=cache, jobs=1, seconds=20)
    assert kinds(found) == [("unreadable-file", "a.py")]
    assert list(found.changed) == ["a.py"]


def test_file_that_changes_after_it_was_hashed(tmp_path: Path, cache: Cache) -> None:
    files = project(tmp_path, {"a.py": "x = 1\n"})
    known, _ = digests(files)
    files[0].absolute.write_text("def f(): pass\n")
    found = collect(files, known, cache=cache, jobs=1, seconds=20)
    assert found.changed == digests(files)[0]
    assert collect(files, known, cache=cache, jobs=1, seconds=20).from_cache == 0
    assert collect(files, found.changed, cache=cache, jobs=1, seconds=20).from_cache == 1


def test_fifo_that_takes_a_files_place_does_not_block(tmp_path: Path) -> None:
    files = project(tmp_path, {"a.py": "x = 1\n"})
    files[0].absolute.unlink()
    os.mkfifo(files[0].absolute)
    known, problems = digests(files)
    assert known == {}
    assert problems[0].message == "a.py cannot be read: it is no regular file any more"


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    files = project(tmp_path, {"a.py": "x = 1\n", "b.py": "x = 1\n"})
    files[0].absolute.unlink()
    files[0].absolute.mkdir()
    known, problems = digests(files)
    assert list(known) == ["b.py"]
    assert [(problem.kind, problem.level) for problem in problems] == [("unreadable-file", "warning")]


def test_file_that_does_not_parse_is_named_and_kept(tmp_path: Path, cache: Cache) -> None:
    files = project(tmp_path, {"a.py": "x = (\n# backendlint: ignore[REL101] -- later\n"})
    for _ in range(2):
        found = read(files, cache)
        assert kinds(found) == [("syntax-error", "a.py")]
        assert found.notifications[0].message.startswith("a.py:1: ")
        assert [comment.line for comment in found.files["a.py"].comments] == [2]


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("app/main.py", ("app.main", False)),
        ("app/__init__.py", ("app", True)),
        ("__init__.py", ("__init__", True)),
        ("bin/serve", ("bin.serve", False)),
        ("a.b/serve", ("a.b.serve", False)),
    ],
)
def test_module_names(path: str, module: tuple[str, bool]) -> None:
    assert module_name(path) == module
