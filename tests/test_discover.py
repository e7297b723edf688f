"""Which files a scan takes, in git work trees and elsewhere, and what it says of the others."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backendlint.config import Config
from backendlint.digests import digests
from backendlint.discover import LARGEST_BYTES, Discovery, discover, with_text
from backendlint.errors import UsageError


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    return root


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def names(found: Discovery, *, reported: bool = True) -> list[str]:
    return [file.path for file in found.files if file.reported is reported]


def kinds(found: Discovery) -> list[str]:
    return [notification.kind for notification in found.notifications]


def test_python_and_sql_but_not_the_rest(tmp_path: Path) -> None:
    tree(tmp_path, "app/main.py", "db/schema.sql", "README.md", "app/logo.png")
    found = discover(tmp_path, [tmp_path], Config())
    assert [(file.path, file.kind) for file in found.files] == [("app/main.py", "python"), ("db/schema.sql", "sql")]


def test_templates_are_context(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "app/templates/list.html",
        "app/tests/templates/list.html",
        "docs/index.html",
        "node_modules/templates/a.html",
    )
    found = discover(tmp_path, [tmp_path], Config())
    assert [(file.path, file.kind, file.reported) for file in found.files] == [
        ("app/templates/list.html", "template", False)
    ]


def test_environments_dependencies_and_output_are_left_out(tmp_path: Path) -> None:
    tree(tmp_path, ".venv/a.py", "node_modules/b.py", "build/lib/c.py", "x.egg-info/d.py", "myenv/pyvenv.cfg")
    tree(tmp_path, "myenv/lib/e.py", "app/build/__init__.py", "app/build/f.py")
    assert names(discover(tmp_path, [tmp_path], Config())) == ["app/build/__init__.py", "app/build/f.py"]


@pytest.mark.parametrize("with_git", [True, False])
def test_gitignore_holds_with_and_without_git(tmp_path: Path, with_git: bool) -> None:
    tree(tmp_path, "a.py", "local/b.py", "app/c.py", "app/c_old.py", "app/deep/d.py")
    (tmp_path / ".gitignore").write_text("/local/\n")
    (tmp_path / "app" / ".gitignore").write_text("*_old.py\n")
    if with_git:
        git(tmp_path, "init")
        git(tmp_path, "add", "a.py")
    assert names(discover(tmp_path, [tmp_path], Config())) == ["a.py", "app/c.py", "app/deep/d.py"]


def test_tracked_file_that_was_deleted_is_no_file(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "b.py")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    (tmp_path / "b.py").unlink()
    assert names(discover(tmp_path, [tmp_path], Config())) == ["a.py"]


def test_nested_repositories_and_submodules_are_entered(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "service/b.py", "lib/c.py")
    for folder in (tmp_path, tmp_path / "service", tmp_path / "lib"):
        git(folder, "init")
    git(tmp_path / "lib", "add", ".")
    git(tmp_path / "lib", "commit", "-m", "Start")
    (tmp_path / ".gitmodules").write_text('[submodule "lib"]\n\tpath = lib\n\turl = ./lib\n')
    git(tmp_path, "add", "lib", ".gitmodules")
    assert names(discover(tmp_path, [tmp_path], Config())) == ["a.py", "lib/c.py", "service/b.py"]


def test_ignored_folder_is_scanned_when_named(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "scratch/b.py")
    (tmp_path / ".gitignore").write_text("scratch/\n")
    git(tmp_path, "init")
    assert names(discover(tmp_path, [tmp_path / "scratch"], Config())) == ["scratch/b.py"]


def test_scanned_repository_cannot_make_git_run_a_program(tmp_path: Path) -> None:
    tree(tmp_path, "a.py")
    git(tmp_path, "init")
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    trap.chmod(0o755)
    git(tmp_path, "config", "core.fsmonitor", str(trap))
    assert names(discover(tmp_path, [tmp_path], Config())) == ["a.py"]
    assert not (tmp_path / "ran").exists()


def test_categories_and_what_is_not_reviewed(tmp_path: Path) -> None:
    tree(tmp_path, "app/a.py", "app/migrations/0001_initial.py", "manage.py", "tests/test_a.py", "app/test_b.py")
    tree(
        tmp_path,
        "app/migrations/0002_ab_test.py",
        "alembic/versions/d41f0c9a7b52_add_lab_tests.py",
        "conftest.py",
        "docs/conf.py",
        "app/vendor/c.py",
        "app/d_pb2.py",
        "app/settings/third_party/e.py",
    )
    found = discover(tmp_path, [tmp_path], Config())
    assert {file.path: file.category for file in found.files if file.reported} == {
        "app/a.py": "code",
        "app/migrations/0001_initial.py": "migration",
        "app/migrations/0002_ab_test.py": "migration",
        "alembic/versions/d41f0c9a7b52_add_lab_tests.py": "migration",
        "app/settings/third_party/e.py": "code",
        "manage.py": "script",
    }
    assert names(found, reported=False) == ["app/d_pb2.py"]
    assert found.left_out == {"test": 3, "docs": 1, "vendored": 1, "generated": 1}


@pytest.mark.parametrize(
    ("text", "reviewed"),
    [
        ('"""Fixtures of the plugin."""\nimport os\n\nimport pytest\n', False),
        ("from pytest import fixture\n", False),
        ("import pytest_asyncio\n", False),
        ("import pytesseract\n", True),
        ("def check():\n    import pytest\n", True),
    ],
)
def test_what_imports_pytest_is_test_code(tmp_path: Path, text: str, reviewed: bool) -> None:
    (tmp_path / "plugin.py").write_text(text)
    assert bool(names(discover(tmp_path, [tmp_path], Config()))) is reviewed


@pytest.mark.parametrize(("folder", "reviewed"), [("checks", False), ("", True)])
def test_a_pytest_plugin_beside_the_service_is_test_code(tmp_path: Path, folder: str, reviewed: bool) -> None:
    tree(tmp_path, "shop/main.py", "checks/shop_checks/orders/client.py")
    (tmp_path / folder / "pyproject.toml").write_text("[project.entry-points.pytest11]\nshop = 'shop_checks.plugin'\n")
    found = names(discover(tmp_path, [tmp_path], Config()))
    assert found == ["checks/shop_checks/orders/client.py", "shop/main.py"][0 if reviewed else 1 :]


@pytest.mark.parametrize(
    ("head", "reviewed"),
    [
        ("# @generated by the schema tool\nx = 1\n", False),
        ('"""Client generated by the schema tool.\n\nDo not edit the class manually.\n"""\n', False),
        ("# This file was auto-generated by the schema tool.\n", False),
        ("# GENERATED CODE - DO NOT MODIFY BY HAND\n", False),
        ("# Do not edit: compiled from berths.yaml, by hand it is lost.\n", False),
        ('"""Settings.\n\nGenerated by \'django-admin startproject\' using Django 5.2.\n"""\n', True),
        ("# This is an auto-generated Django model module.\n", True),
        ("# DO NOT EDIT THIS FILE! Set what differs in local.py.\n", True),
        ('"""Sends the invoices that are\ngenerated nightly by the ledger."""\n', True),
        ('"""Links to documents.\n\nSigned URLs are generated by the store."""\n', True),
        ("#!/usr/bin/env python\n# Code generated by protoc. DO NOT EDIT.\n", False),
        ("# Generated by Django 5.0 on 2024-01-01\n", True),
        ('"""Start."""\nmessage = "do not edit this"\n', True),
    ],
)
def test_generated_code_is_known_from_its_head(tmp_path: Path, head: str, reviewed: bool) -> None:
    (tmp_path / "a.py").write_text(head)
    assert bool(names(discover(tmp_path, [tmp_path], Config()))) is reviewed


@pytest.mark.parametrize(
    "folder",
    [
        "tests_e2e",
        "e2e-suite",
        "e2etests",
        "unit_tests",
        "load-tests",
        "end_to_end_tests",
        "contract-tests",
        "bank_mock",
        "mock-server",
        "fakes",
    ],
)
def test_folders_of_one_kind_of_tests(tmp_path: Path, folder: str) -> None:
    tree(tmp_path, "app/a.py", f"{folder}/steps/pages.py")
    assert names(discover(tmp_path, [tmp_path], Config())) == ["app/a.py"]


@pytest.mark.parametrize("folder", ["contest", "latest", "lab_tests", "test_results", "attestations"])
def test_folders_that_are_no_tests(tmp_path: Path, folder: str) -> None:
    tree(tmp_path, f"{folder}/a.py")
    assert names(discover(tmp_path, [tmp_path], Config())) == [f"{folder}/a.py"]


def test_tests_on_request(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "tests/test_a.py")
    assert names(discover(tmp_path, [tmp_path], Config(include_tests=True))) == ["a.py", "tests/test_a.py"]


def test_scanned_folder_below_tests_is_reviewed(tmp_path: Path) -> None:
    tree(tmp_path, "tests/fixtures/shop/app/a.py", "tests/fixtures/shop/tests/test_a.py")
    (tmp_path / ".git").mkdir()
    found = discover(tmp_path, [tmp_path / "tests" / "fixtures" / "shop"], Config())
    assert names(found) == ["tests/fixtures/shop/app/a.py"]


def test_globs(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "legacy/b.py", "app/c.py", "docs/d.py", "venv/e.py")
    excluding = Config(extend_exclude=("legacy/", "*c.py"))
    assert names(discover(tmp_path, [tmp_path], excluding)) == ["a.py"]
    assert names(discover(tmp_path, [tmp_path], Config(include=("docs/*.py",)))) == [
        "a.py", "app/c.py", "docs/d.py", "legacy/b.py",
    ]  # fmt: skip
    assert "venv/e.py" in names(discover(tmp_path, [tmp_path], Config(exclude=("legacy",))))


def test_named_file_is_reported_with_the_project_as_context(tmp_path: Path) -> None:
    tree(tmp_path, "app/a.py", "app/b.py", "tests/test_a.py")
    named = [tmp_path / "app" / "b.py", tmp_path / "tests" / "test_a.py"]
    found = discover(tmp_path, named, Config())
    assert names(found) == ["app/b.py", "tests/test_a.py"]
    assert names(found, reported=False) == ["app/a.py"]
    assert [file.path for file in discover(tmp_path, named, Config(), context=False).files] == names(found)


def test_named_file_that_is_no_source(tmp_path: Path) -> None:
    tree(tmp_path, "README.md")
    (tmp_path / "serve").write_text("#!/usr/bin/env python3\nx = 1\n")
    found = discover(tmp_path, [tmp_path / "README.md", tmp_path / "serve"], Config())
    assert kinds(found) == ["not-reviewed"]
    assert names(found) == ["serve"]


def test_missing_path_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        discover(tmp_path, [tmp_path / "nowhere"], Config())


@pytest.mark.parametrize("with_git", [True, False])
def test_links_out_of_the_tree_and_circles_are_not_followed(tmp_path: Path, with_git: bool) -> None:
    outside = tree(tmp_path / "outside", "secret.py")
    root = tree(tmp_path / "project", "a.py")
    (root / "out").symlink_to(outside)
    (root / "out.py").symlink_to(outside / "secret.py")
    (root / "loop").symlink_to(root)
    (root / "again.py").symlink_to(root / "a.py")
    (root / "self.py").symlink_to(root / "self.py")
    if with_git:
        git(root, "init")
    found = discover(root, [root], Config())
    assert names(found) == ["a.py"]
    assert kinds(found) == ["link-skipped"]


def test_special_files(tmp_path: Path) -> None:
    tree(tmp_path, "a.py")
    os.mkfifo(tmp_path / "pipe.py")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.py"))
        found = discover(tmp_path, [tmp_path, tmp_path / "pipe.py", tmp_path / "socket.py"], Config())
    assert names(found) == ["a.py"]
    assert kinds(found) == ["special-file", "special-file"]


def test_huge_file_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "a.py")
    with (tmp_path / "data.py").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    found = discover(tmp_path, [tmp_path], Config())
    assert names(found) == ["a.py"]
    assert kinds(found) == ["huge-file"]
    assert found.notifications[0].message.startswith("data.py has 4.2 MB")


def test_name_that_is_not_text_can_be_printed(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.py")).write_text("x = 1\n")
    found = discover(tmp_path, [tmp_path], Config())
    assert names(found) == ["caf\N{REPLACEMENT CHARACTER}.py"]
    assert found.files[0].absolute.read_text() == "x = 1\n"


@contextmanager
def without_privileges() -> Iterator[None]:
    """As a user who may not read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike tmp_path."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("with_git", [True, False])
def test_what_may_not_be_read_is_named(open_folder: Path, with_git: bool) -> None:
    tree(open_folder, "a.py", "secret.py", "closed/b.py")
    if with_git:
        git(open_folder, "init")
        git(open_folder, "config", "safe.directory", "*")
    (open_folder / "secret.py").chmod(0)
    (open_folder / "closed").chmod(0)
    try:
        with without_privileges():
            found = discover(open_folder, [open_folder], Config())
            known, problems = digests(found.files)
    finally:
        (open_folder / "closed").chmod(0o755)
    assert list(known) == ["a.py"]
    assert [item.message for item in (*found.notifications, *problems)] == [
        "closed is a folder that cannot be listed",
        "secret.py cannot be read: Permission denied",
    ]


def test_tracked_file_in_a_folder_that_may_not_be_entered(open_folder: Path) -> None:
    tree(open_folder, "a.py", "closed/b.py")
    git(open_folder, "init")
    git(open_folder, "add", ".")
    (open_folder / "closed").chmod(0)
    try:
        with without_privileges():
            found = discover(open_folder, [open_folder], Config())
    finally:
        (open_folder / "closed").chmod(0o755)
    assert names(found) == ["a.py"]
    assert "closed" in found.notifications[0].message


def test_empty_project(tmp_path: Path) -> None:
    assert discover(tmp_path, [tmp_path], Config()).files == ()


def test_unsaved_text_replaces_a_files_content(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "b.py")
    found = with_text(discover(tmp_path, [tmp_path], Config()), "a.py", b"y = 2\n")
    assert [file.data for file in found.files] == [b"y = 2\n", None]
    assert [file.path for file in with_text(found, "c.py", b"").files] == ["a.py", "b.py", "c.py"]
