"""The source trees that are measured: sdists from PyPI, fetched by pip into a work folder and never committed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

DJANGO = "django==5.2.8"
MANY = (DJANGO, "ansible-core==2.19.2", "celery==5.5.3", "twisted==25.5.0", "wagtail==7.1")
"""Together more than 500,000 lines without their tests."""


def fetch(requirement: str, work: Path) -> Path:
    """The unpacked sdist of `name==version`; downloaded once."""
    target = work / "sdists" / requirement
    if not target.is_dir():
        loading = work / "loading" / requirement
        loading.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*command, "--dest", str(loading), requirement], check=True)
        (archive,) = loading.glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(loading / "tree", filter="data")
        target.parent.mkdir(parents=True, exist_ok=True)
        (loading / "tree").rename(target)
    (top,) = target.iterdir()
    return top


def django(work: Path) -> Path:
    """Django's package in a git work tree, as a developer has it."""
    top = fetch(DJANGO, work)
    if not (top / ".git").exists():
        for arguments in (["init", "--quiet"], ["add", "."]):
            subprocess.run(["git", *arguments], cwd=top, check=True)
    return top / "django"


def many(work: Path) -> Path:
    """Several projects as one tree."""
    tree = work / "many"
    tree.mkdir(parents=True, exist_ok=True)
    for requirement in MANY:
        name = requirement.partition("==")[0]
        if not (tree / name).exists():
            _copy(fetch(requirement, work), tree / name)
    return tree


def _copy(source: Path, target: Path) -> None:
    import shutil

    ignored = shutil.ignore_patterns(".git", ".backendlint_cache")
    shutil.copytree(source, target, ignore=ignored, symlinks=True)
