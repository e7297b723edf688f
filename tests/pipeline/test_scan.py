"""The stages together: what is found, remembered, and survives a failing part."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from scanning import add_rule, found, git, kinds, run, write

from backendlint.errors import ConfigError, UsageError
from backendlint.since import write_tree

BAD = "def bad():\n    pass\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return add_rule(tmp_path / "rules")


def test_findings_and_figures(tmp_path: Path, rules: Path) -> None:
    root = write(tmp_path / "p", {"app/a.py": BAD, "app/b.py": "x = 1\n", "app/q.sql": "select 1;\n"})
    report = run(rules, root).report
    assert [(item.location.path, item.rule_id) for item in report.findings] == [("app/a.py", "XX901")]
    assert report.root == str(root)
    assert (report.summary.files, report.summary.lines) == (3, 3)
    assert report.summary.by_pillar == {"reliability": 1}
    assert list(report.summary.stages)[:3] == ["discover", "rules", "facts"]
    assert report.notifications == ()


def test_second_run_is_remembered_and_says_the_same(tmp_path: Path, rules: Path) -> None:
    root = write(tmp_path / "p", {"a.py": BAD, "b.py": "x = (\n"})
    first, second = run(rules, root), run(rules, root)
    assert (first.from_cache, second.from_cache) == (False, True)
    assert first.report.findings == second.report.findings
    assert first.report.notifications == second.report.notifications
    assert kinds(second) == ["syntax-error"]


@pytest.mark.parametrize("change", ["file", "new file", "rule", "option", "profile", "config", "library"])
def test_what_changes_the_result_is_noticed(tmp_path: Path, rules: Path, change: str) -> None:
    root = write(tmp_path / "p", {"a.py": BAD, "backendlint.toml": ""})
    run(rules, root)
    overrides: dict[str, object] = {}
    if change == "file":
        write(root, {"a.py": "def bux():\n    pass\n"})
    elif change == "new file":
        write(root, {"b.py": BAD})
    elif change == "rule":
        check = rules / "xx901" / "check.py"
        check.write_text(check.read_text().replace("is called bad", "is bad"))
    elif change == "option":
        overrides["rules"] = {"XX901": {"word": "good"}}
    elif change == "profile":
        overrides["profile"] = "audit"
    elif change == "config":
        write(root, {"backendlint.toml": 'severity = { XX901 = "error" }\n'})
    else:
        write(root, {".backendlint/libraries/own.yaml": "library: own\nkind: stdlib\nmodules: [own]\n"})
    assert run(rules, root, overrides=overrides).from_cache is False


def test_after_an_edit_manifests_are_not_read_again(
    tmp_path: Path, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write(tmp_path / "p", {"a.py": "def bad(): pass\n"})
    run(rules, project)
    write(project, {"b.py": "def bad(): pass\n"})
    monkeypatch.setattr("backendlint.selection.load_rules", None)
    assert found(run(rules, project)) == ["a.py:1 XX901", "b.py:1 XX901"]


def test_without_cache_nothing_is_written(tmp_path: Path, rules: Path) -> None:
    root = write(tmp_path / "p", {"a.py": BAD})
    assert found(run(rules, root, use_cache=False)) == found(run(rules, root, use_cache=False)) == ["a.py:1 XX901"]
    assert [path.name for path in root.iterdir()] == ["a.py"]


def test_cache_that_cannot_be_used_is_a_detail(tmp_path: Path, rules: Path) -> None:
    root = write(tmp_path / "p", {"a.py": BAD, ".backendlint_cache": "a file is in the way"})
    outcome = run(rules, root)
    assert found(outcome) == ["a.py:1 XX901"]
    assert kinds(outcome) == []
    assert [item.kind for item in outcome.details] == ["cache"]


def test_reach_counts_the_endpoints_that_lead_there(tmp_path: Path, rules: Path) -> None:
    text = (
        "from fastapi import FastAPI\n\napp = FastAPI()\n\n\ndef bad():\n    pass\n\n\ndef bad_alone():\n    pass\n\n\n"
        "@app.get('/one')\ndef one():\n    bad()\n\n\n@app.get('/two')\ndef two():\n    bad()\n"
    )
    report = run(rules, write(tmp_path / "p", {"main.py": text})).report
    assert [(item.function, item.reach) for item in report.findings] == [("main.bad", 2), ("main.bad_alone", 0)]


def test_failing_rule_is_named_and_the_others_go_on(tmp_path: Path, rules: Path) -> None:
    add_rule(rules, "XX902", "def check(project):\n    raise KeyError('oops')\n    yield\n")
    root = write(tmp_path / "p", {"a.py": BAD})
    for _ in range(2):
        outcome = run(rules, root)
        assert found(outcome) == ["a.py:1 XX901"]
        assert kinds(outcome) == ["rule-failed"]
        assert outcome.report.notifications[0].level == "error"
        assert outcome.from_cache is False


def test_rule_that_cannot_be_imported_is_named(tmp_path: Path, rules: Path) -> None:
    add_rule(rules, "XX902", "def check(project:\n")
    outcome = run(rules, write(tmp_path / "p", {"a.py": BAD}))
    assert (found(outcome), kinds(outcome)) == (["a.py:1 XX901"], ["rule-failed"])


@pytest.mark.parametrize("split", [False, True])
def test_function_that_cannot_be_analysed_is_named(
    tmp_path: Path, rules: Path, monkeypatch: pytest.MonkeyPatch, split: bool
) -> None:
    check = "def check(project):\n    for fn in project.all_functions():\n        project.failed(fn, KeyError('oops'))\n    yield from ()\n"
    add_rule(rules, "XX902", check)
    manifest = rules / "xx902" / "rule.yaml"
    manifest.write_text(manifest.read_text().replace("pillar: reliability", "pillar: security"))
    if split:
        monkeypatch.setattr("backendlint.engines.every.FILES_FOR_A_PROCESS", 1)
    outcome = run(rules, write(tmp_path / "p", {"a.py": "x = 1\n"}))
    assert kinds(outcome) == ["analysis-failed"]
    assert "KeyError: 'oops'" in outcome.report.notifications[0].message


def test_engine_that_fails_is_named_and_the_others_go_on(
    tmp_path: Path, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backendlint.engines import cst

    def fail(*_: object) -> None:
        raise OSError("no engine")

    home = rules / "xx903"
    home.mkdir()
    manifest = (rules / "xx901" / "rule.yaml").read_text().replace("XX901", "XX903").replace("xx901", "xx903")
    (home / "rule.yaml").write_text(manifest.replace("engine: project", "engine: cst").replace("options", "#"))
    (home / "check.py").write_text("def check(site):\n    return ()\n")
    monkeypatch.setattr(cst, "run", fail)
    outcome = run(rules, write(tmp_path / "p", {"a.py": BAD}))
    assert (found(outcome), kinds(outcome)) == (["a.py:1 XX901"], ["engine-failed"])


def test_only_named_files_are_reported(tmp_path: Path, rules: Path) -> None:
    root = write(tmp_path / "p", {"backendlint.toml": "", "a.py": BAD, "b.py": BAD})
    outcome = run(rules, root / "b.py")
    assert found(outcome) == ["b.py:1 XX901"]
    assert (outcome.report.summary.files, outcome.report.summary.outside) == (1, 1)


def test_unsaved_text(tmp_path: Path, rules: Path) -> None:
    root = write(tmp_path / "p", {"backendlint.toml": "", "a.py": "x = 1\n", "b.py": BAD})
    outcome = run(rules, root / "a.py", stdin=(root / "a.py", b"\n\n" + BAD.encode()))
    assert found(outcome) == ["a.py:3 XX901"]
    assert found(run(rules, root / "new.py", stdin=(root / "new.py", BAD.encode()))) == ["new.py:1 XX901"]


def test_options_of_rules(tmp_path: Path, rules: Path) -> None:
    root = write(tmp_path / "p", {"a.py": "def ugly(): pass\n", "backendlint.toml": '[rules.XX901]\nword = "ugly"\n'})
    assert found(run(rules, root)) == ["a.py:1 XX901"]
    write(root, {"backendlint.toml": "[rules.XX901]\nwrd = 1\n"})
    with pytest.raises(ConfigError, match=r"XX901 has no option `wrd`.*word"):
        run(rules, root)
    write(root, {"backendlint.toml": "[rules.XX90]\nword = 1\n"})
    with pytest.raises(ConfigError, match=r"no rule `XX90`.*XX901"):
        run(rules, root)


def test_unknown_rule_names_the_nearest(tmp_path: Path, rules: Path) -> None:
    root = write(tmp_path / "p", {"a.py": BAD})
    with pytest.raises(UsageError, match="XX901"):
        run(rules, root, overrides={"select": ("XX9011",)})


def test_scanned_projects_python_rules_do_not_run(tmp_path: Path, rules: Path) -> None:
    root = write(tmp_path / "p", {"a.py": BAD})
    add_rule(root / ".backendlint" / "rules", "XX905", f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UsageError, match="does not run code"):
        run(rules, root)
    assert not (tmp_path / "ran").exists()


def test_progress_names_the_stages(tmp_path: Path, rules: Path) -> None:
    seen: list[str] = []
    run(rules, write(tmp_path / "p", {"a.py": BAD}), progress=lambda stage, _done, _total: seen.append(stage))
    assert list(dict.fromkeys(seen)) == ["discover", "rules", "facts", "link", "engines", "findings"]


def test_baseline_hides_what_is_known(tmp_path: Path, rules: Path) -> None:
    from backendlint.findings.baseline import write as write_baseline

    root = write(tmp_path / "p", {"a.py": BAD})
    write_baseline(tmp_path / "known.json", run(rules, root).accepted)
    write(root, {"a.py": "\n" + BAD + "def bad_too(): pass\n"})
    outcome = run(rules, root, baseline=tmp_path / "known.json")
    assert found(outcome) == ["a.py:4 XX901"]
    assert outcome.report.summary.baselined == 1


def test_since_reports_what_the_change_introduces(tmp_path: Path, rules: Path) -> None:
    root = write(tmp_path / "p", {"a.py": BAD, "gone.py": BAD, "sub/c.py": "x = 1\n"})
    (root / "link.py").symlink_to("/etc/passwd")
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "Start")
    (root / "gone.py").unlink()
    write(root, {"a.py": "\n\n" + BAD, "sub/c.py": BAD, "new.py": BAD})
    assert found(run(rules, root, since="HEAD")) == ["new.py:1 XX901", "sub/c.py:1 XX901"]
    assert found(run(rules, root / "sub", since="HEAD")) == ["sub/c.py:1 XX901"]
    assert run(rules, root, since="HEAD").from_cache is True
    git(root, "add", ".")
    git(root, "commit", "-m", "More")
    assert found(run(rules, root, since="HEAD")) == []
    assert found(run(rules, root, since="HEAD~1")) == ["new.py:1 XX901", "sub/c.py:1 XX901"]


def test_since_knows_the_dialect_of_then(tmp_path: Path) -> None:
    names = (
        "app.py",
        "requirements.txt",
        "requirements/base.txt",
        "pyproject.toml",
        "sub/requirements.txt",
        "notes.txt",
    )
    root = write(tmp_path / "p", dict.fromkeys(names, "psycopg\n"))
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "Begin")
    write_tree(root, "HEAD", tmp_path / "then")
    found = {
        path.relative_to(tmp_path / "then").as_posix() for path in (tmp_path / "then").rglob("*") if path.is_file()
    }
    assert found == set(names[:4])


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", ""])
def test_since_an_unknown_revision(tmp_path: Path, rules: Path, revision: str) -> None:
    root = write(tmp_path / "p", {"a.py": BAD})
    git(root, "init")
    with pytest.raises(UsageError, match="no such revision"):
        run(rules, root, since=revision)


def test_run_without_changes_imports_no_engine(tmp_path: Path, rules: Path) -> None:
    root = write(tmp_path / "p", {"a.py": BAD + "import requests\nrequests.get('x')\n", "q.sql": "select * from t;\n"})
    program = (
        "import sys\nfrom pathlib import Path\nfrom backendlint.pipeline import scan\n"
        "from backendlint.request import Request\n"
        f"print(scan(Request(paths=(Path({str(root)!r}),))).from_cache)\n"
        "heavy = {'libcst', 'sqlglot', 'yaml', 'msgspec', 'rich', 'semgrep', 'pathspec', 'multiprocessing'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    for expected in ("False", "True"):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        from_cache, heavy = done.stdout.splitlines()
        assert from_cache == expected
    assert heavy == "[]"


def test_a_check_beside_patterns_judges_their_hits(tmp_path: Path) -> None:
    home = tmp_path / "rules" / "xx903"
    home.mkdir(parents=True)
    (home / "rule.yaml").write_text(
        "id: XX903\nname: calls-bad\npillar: security\nengine: semgrep\nseverity: error\nconfidence: high\nprofile: default\n"
        "summary: S\nhelp: H.\nchecklist: [S-AUTHN]\ncwe: [1]\n"
    )
    (home / "doc.md").write_text("# XX903\n")
    (home / "semgrep.yaml").write_text(
        "rules:\n  - id: XX903-a\n    languages: [python]\n    severity: ERROR\n    message: found\n    pattern: bad()\n"
    )
    (home / "check.py").write_text(
        "from dataclasses import replace\n\n\ndef check(project, hit):\n"
        "    if 'good.py' in project.files and hit.location.path != 'good.py':\n        yield replace(hit, message='judged')\n"
    )
    root = write(tmp_path / "p", {"good.py": "bad()\n", "worse.py": "bad()\n"})
    report = run(tmp_path / "rules", root).report
    assert [(item.location.path, item.message) for item in report.findings] == [("worse.py", "judged")]
