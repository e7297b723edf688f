from __future__ import annotations

import os
import select
import stat
from pathlib import Path

import pytest

from backendlint.engines import semgrep, semgrep_command
from backendlint.engines.semgrep_command import SemgrepRun
from backendlint.engines.semgrep_rules import bare_rules, merge
from backendlint.errors import RuleError
from backendlint.findings.model import Location, Notification

MD5 = """\
rules:
- id: SEC999-md5
  languages: [python]
  severity: WARNING
  message: "`hashlib.md5($X)` is weak"
  pattern: hashlib.md5($X)
- id: SEC999-sha1
  languages: [python]
  severity: WARNING
  message: "sha1 is weak"
  metadata: {profile: strict, confidence: low}
  pattern: hashlib.sha1(...)
"""


def hits(results):
    return [(rule.id, hit) for rule, hit in (item for item in results if not isinstance(item, Notification))]


def notes(results):
    return [item for item in results if isinstance(item, Notification)]


def test_spans_are_in_characters_and_functions_are_named(tree, semgrep_rule) -> None:
    tree.add("app/a.py", 'import hashlib\n\ndef f(p):\n\ts = "äöü😀"; return hashlib.md5(p)\n')
    ((_, hit),) = hits(semgrep.run([semgrep_rule(MD5)], tree.files, tree.context()))
    column = len('\ts = "äöü😀"; return ') + 1
    assert hit.location == Location("app/a.py", 4, column, 4, column + len("hashlib.md5(p)"))
    assert hit.message == "`hashlib.md5(p)` is weak"
    assert hit.function == "f"


def test_metadata_of_a_pattern_overrides_the_manifest(tree, semgrep_rule) -> None:
    tree.add("a.py", "import hashlib\nhashlib.sha1()\n")
    ((_, hit),) = hits(semgrep.run([semgrep_rule(MD5)], tree.files, tree.context()))
    assert (hit.profile, hit.confidence, hit.severity) == ("strict", "low", None)


def test_ignore_files_and_test_folders_of_the_project_do_not_matter(tree, semgrep_rule) -> None:
    for path in ("tests/a.py", "node_modules/b.py", "odd name/ü.py", "script"):
        tree.add(path, "import hashlib\nhashlib.md5(1)  # nosem\n")
    (tree.root / ".semgrepignore").write_text("*\n")
    found = hits(semgrep.run([semgrep_rule(MD5)], tree.files, tree.context()))
    assert sorted(hit.location.path for _, hit in found) == sorted(tree.files)


def test_only_files_that_meet_the_needs_are_given_to_semgrep(tree, semgrep_rule) -> None:
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\n")
    tree.add("b.py", "hashlib = object()\nhashlib.md5(1)\n")
    rule = semgrep_rule(MD5, needs={"imports": ("hashlib",)})
    handle = semgrep.start([rule], tree.files, tree.context())
    assert handle.running is not None
    assert set(handle.running.texts) == {"a.py"}
    assert [hit.location.path for _, hit in hits(handle.results())] == ["a.py"]


def test_a_pattern_may_have_needs_of_its_own(tree, cache, semgrep_rule) -> None:
    text = MD5.replace("profile: strict", "needs: {imports: [zlib]}, profile: strict")
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\nhashlib.sha1(1)\n")
    tree.add("odd [x].py", "import hashlib, zlib\nhashlib.sha1(1)\n")
    found = hits(semgrep.run([semgrep_rule(text)], tree.files, tree.context(cache=cache)))
    assert [(hit.location.path, hit.location.line) for _, hit in found] == [("a.py", 2), ("odd [x].py", 2)]
    assert len(cache.values) == 2


def test_nothing_is_started_where_no_pattern_needs_a_file(tree, cache, semgrep_rule) -> None:
    text = MD5.replace("profile: strict", "needs: {imports: [zlib]}, profile: strict").replace(
        "  pattern: hashlib.md5", "  metadata: {needs: {imports: [zlib]}}\n  pattern: hashlib.md5"
    )
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\n")
    handle = semgrep.start([semgrep_rule(text)], tree.files, tree.context(cache=cache))
    assert handle.running is None
    assert list(handle.results()) == []
    assert len(cache.values) == 1


def test_a_users_own_paths_are_kept(tree, semgrep_rule) -> None:
    text = MD5.replace("  pattern: hashlib.md5", "  paths: {include: [/src/]}\n  pattern: hashlib.md5")
    text = text.replace("  pattern: hashlib.sha1", "  paths: {include: [/src/]}\n  pattern: hashlib.sha1")
    for path in ("src/a.py", "lib/a.py"):
        tree.add(path, "import hashlib\nhashlib.md5(1)\n")
    results = list(semgrep.run([semgrep_rule(text)], tree.files, tree.context()))
    assert [hit.location.path for _, hit in hits(results)] == ["src/a.py"]
    assert not notes(results)


def test_results_are_cached_also_empty_ones(tree, cache, semgrep_rule, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\n")
    tree.add("b.py", "print(1)\n")
    rule = semgrep_rule(MD5)
    first = list(semgrep.run([rule], tree.files, tree.context(cache=cache)))
    monkeypatch.setattr(SemgrepRun, "start", None)  # a second start would fail
    assert list(semgrep.run([rule], tree.files, tree.context(cache=cache))) == first
    assert len(cache.values) == 2


def test_other_library_models_may_need_other_files(tree, cache, semgrep_rule) -> None:
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\n")
    rule = semgrep_rule(MD5, needs={"calls": ("mail",)})
    plain = tree.context(cache=cache, effects=lambda _: (), models="1")
    assert not hits(semgrep.run([rule], tree.files, plain))
    mailing = tree.context(cache=cache, effects=lambda _: ("mail",), models="2")
    assert len(hits(semgrep.run([rule], tree.files, mailing))) == 1


def test_a_changed_rule_or_file_is_run_again(tree, cache, semgrep_rule) -> None:
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\n")
    list(semgrep.run([semgrep_rule(MD5)], tree.files, tree.context(cache=cache)))
    changed = semgrep_rule(MD5.replace("is weak", "is broken"))
    ((_, hit),) = hits(semgrep.run([changed], tree.files, tree.context(cache=cache)))
    assert hit.message == "`hashlib.md5(1)` is broken"
    tree.add("a.py", "import hashlib\n\nhashlib.md5(1)\n")
    ((_, hit),) = hits(semgrep.run([changed], tree.files, tree.context(cache=cache)))
    assert hit.location.line == 3


def test_rules_that_share_an_id_in_their_files_are_all_run(tree, semgrep_rule) -> None:
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\n")
    twice = MD5 + MD5.removeprefix("rules:\n").replace("hashlib.md5($X)\n", "import hashlib\n")
    found = hits(semgrep.run([semgrep_rule(twice)], tree.files, tree.context()))
    assert sorted(hit.location.line for _, hit in found) == [1, 2]


def test_a_file_that_semgrep_reads_in_part_is_reported_and_cached(tree, cache, semgrep_rule) -> None:
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\n")
    tree.texts["a.py"] += "x = = 1\n"
    for _ in range(2):
        results = list(semgrep.run([semgrep_rule(MD5)], tree.files, tree.context(cache=cache)))
        assert [item.kind for item in notes(results)] == ["semgrep-partial"]
        assert len(hits(results)) == 1


def test_a_broken_pattern_is_an_error_and_the_other_rules_go_on(tree, cache, semgrep_rule) -> None:
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\n")
    broken = semgrep_rule(MD5.replace("SEC999", "SEC998").replace("hashlib.md5($X)\n", "'def ('\n"), id="SEC998")
    results = list(semgrep.run([broken, semgrep_rule(MD5)], tree.files, tree.context(cache=cache)))
    assert [rule for rule, _ in hits(results)] == ["SEC999"]
    (note,) = notes(results)
    assert note.level == "error"
    assert "SEC998" in note.message
    assert not cache.values


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Replaces the command by a shell script; `$@` are semgrep's arguments."""

    def install(script: str) -> None:
        path = tmp_path / "fake-semgrep"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(semgrep_command, "find_program", lambda: str(path))

    return install


def test_falls_back_to_the_plain_start_up(tree, semgrep_rule, command) -> None:
    real = semgrep_command.find_program()
    command(f'case "$*" in *--experimental*) echo unknown option >&2; exit 99;; esac; exec {real} "$@"')
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\n")
    results = list(semgrep.run([semgrep_rule(MD5)], tree.files, tree.context()))
    assert len(hits(results)) == 1
    assert not notes(results)


def test_falls_back_where_the_experimental_start_up_scans_nothing(tree, semgrep_rule, command) -> None:
    real = semgrep_command.find_program()
    empty = '{"results": [], "errors": [], "paths": {"scanned": []}}'
    command(f'case "$*" in *--experimental*) echo \'{empty}\'; exit 0;; esac; exec {real} "$@"')
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\n")
    assert len(hits(semgrep.run([semgrep_rule(MD5)], tree.files, tree.context()))) == 1


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo boom >&2; exit 2", "boom"),
        ("kill -9 $$", "exit code -9"),
        ("echo '{}'", "no file scanned"),
        ("echo '[1]'", "no file scanned"),
    ],
)
def test_a_crash_is_an_error(tree, cache, semgrep_rule, command, script: str, reason: str) -> None:
    command(script)
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\n")
    (note,) = semgrep.run([semgrep_rule(MD5)], tree.files, tree.context(cache=cache))
    assert isinstance(note, Notification)
    assert (note.kind, note.level) == ("engine-failed", "error")
    assert reason in note.message
    assert not cache.values


def test_the_time_limit_ends_the_command_and_its_children(tree, semgrep_rule, command, tmp_path: Path) -> None:
    held = tmp_path / "held"  # open for writing in the command's child for as long as that lives
    os.mkfifo(held)
    reader = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
    command(f'(echo started; exec sleep 60) > "{held}" & wait')
    tree.add("a.py", "import hashlib\n")
    (note,) = semgrep.run([semgrep_rule(MD5)], tree.files, tree.context(time_limit=2))
    assert isinstance(note, Notification)
    assert note.level == "error"
    assert "within 2 s" in note.message
    assert os.read(reader, 100) == b"started\n"
    closed = select.poll()
    closed.register(reader, select.POLLHUP)
    assert closed.poll(10_000)
    os.close(reader)


def test_a_missing_command_is_an_error(tree, semgrep_rule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semgrep_command, "find_program", lambda: None)
    tree.add("a.py", "import hashlib\n")
    (note,) = semgrep.run([semgrep_rule(MD5)], tree.files, tree.context())
    assert isinstance(note, Notification)
    assert note.level == "error"
    assert "was found neither" in note.message


def test_nothing_is_left_behind(tree, semgrep_rule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    tree.add("a.py", "import hashlib\nhashlib.md5(1)\n")
    list(semgrep.run([semgrep_rule(MD5)], tree.files, tree.context()))
    handle = semgrep.start([semgrep_rule(MD5)], tree.files, tree.context())
    handle.cancel()
    assert not os.listdir(scratch)  # noqa: PTH208


def test_bare_files_become_rules_with_their_metadata(tree, tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(
        "rules:\n- id: no-eval\n  languages: [python]\n  severity: ERROR\n  message: no eval\n  pattern: eval(...)\n"
        "  metadata: {pillar: reliability, confidence: HIGH, cwe: ['CWE-95: Eval'], help: Parse it.}\n"
        "- id: no-exec\n  languages: [python]\n  severity: INFO\n  message: no exec\n  pattern: exec(...)\n"
    )
    rules = bare_rules(path)
    assert [(r.id, r.pillar, r.severity, r.confidence, r.cwe, r.help) for r in rules] == [
        ("no-eval", "reliability", "error", "high", (95,), "Parse it."),
        ("no-exec", "security", "note", "medium", (), "See the rule's message."),
    ]
    tree.add("a.py", "eval(x)\nexec(y)\n")
    assert [rule for rule, _ in hits(semgrep.run(rules, tree.files, tree.context()))] == ["no-eval", "no-exec"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rules:\n- }\n", ":2: is not YAML"),
        ("- 1", "list `rules`"),
        ("rules: [1]", "mapping with an `id`"),
        ("rules: [{id: a, languages: [go]}]", "`languages`"),
        ("rules: [{id: a, languages: [python], metadata: {pillar: speed}}]", "`pillar` is one of"),
        ("rules: [{id: a, languages: [python], metadata: 3}]", "`metadata` must be a mapping"),
    ],
)
def test_a_bad_file_of_the_user_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(RuleError) as caught:
        bare_rules(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)


def test_a_pattern_of_another_rule_is_refused(semgrep_rule) -> None:
    _, patterns, problems = merge([semgrep_rule(MD5.replace("SEC999-md5", "SEC100-md5"))])
    assert not patterns
    assert "must be called `SEC999`" in problems[0].message
