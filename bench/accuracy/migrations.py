"""`python -m bench.accuracy.migrations`: the peers' rules on migrations, one by one, against ours.

For each rule of Squawk and django-migration-linter (peers_migrations.yaml) a migration that breaks it is written into a
temporary project and scanned; the table shows which of our rules answer.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from backendlint.config import Config, Settings
from backendlint.pipeline import scan
from backendlint.request import Request

CASES = Path(__file__).with_name("peers_migrations.yaml")
BEFORE_SQL = """
CREATE TABLE o (id bigint PRIMARY KEY);
CREATE TABLE t (id bigint PRIMARY KEY, name text, kept text NOT NULL, size int, o_id bigint);
CREATE INDEX t_size ON t (size);
CREATE TABLE k (id bigint NOT NULL);
"""
DJANGO = """
from app.models import T
from django.db import migrations, models


def fill_with_todays(apps, schema_editor):
    T.objects.filter(size=None).update(size=0)


def fill(apps, schema_editor):
    apps.get_model("app", "T").objects.filter(size=None).update(size=0)


class Migration(migrations.Migration):
    dependencies = {dependencies}
    operations = [{operations}]
"""
MODELS = """
from django.db import models


class T(models.Model):
    name = models.TextField()
    size = models.IntegerField(null=True)
"""
BEFORE_DJANGO = (
    "migrations.CreateModel('T', [('id', models.BigAutoField(primary_key=True)), ('name', models.TextField()), "
    "('size', models.IntegerField(null=True))], options={'indexes': [models.Index(fields=['size'], name='t_size')]})"
)


@dataclass(frozen=True)
class Case:
    """One rule of a peer, with the rules of ours that should answer it."""

    peer: str
    rule: str
    ours: list[str]
    change: str = ""
    operations: str = ""
    reason: str = ""


def cases() -> Iterator[Case]:
    """All cases of the file."""
    for entry in yaml.safe_load(CASES.read_text(encoding="utf-8")):
        yield Case(**entry)


def answers(case: Case, root: Path) -> set[str]:
    """Ids of our rules that report something about the case's change."""
    changed = write(case, root)
    ids = ("REL312", *(f"REL40{digit}" for digit in (1, 2, 3, 4, 5, 6, 7, 9)))
    settings = Settings(root, replace(Config(), select=ids, profile="audit", jobs=1), None)
    report = scan(Request(paths=(root,), settings=settings, context=False, use_cache=False)).report
    return {item.rule_id for item in report.findings if item.location.path == changed}


def write(case: Case, root: Path) -> str:
    """The project of a case; gives the path of the change."""
    if case.change:
        folder = root / "migrations"
        folder.mkdir(parents=True)
        (root / "requirements.txt").write_text("psycopg\n", encoding="utf-8")
        (folder / "001.sql").write_text(BEFORE_SQL, encoding="utf-8")
        (folder / "002.sql").write_text(case.change + "\n", encoding="utf-8")
        return "migrations/002.sql"
    folder = root / "app" / "migrations"
    folder.mkdir(parents=True)
    (root / "settings.py").write_text("DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}}\n", "utf-8")
    for file in (root / "app" / "__init__.py", folder / "__init__.py"):
        file.touch()
    (root / "app" / "models.py").write_text(MODELS, encoding="utf-8")
    first = DJANGO.format(dependencies="[]", operations=BEFORE_DJANGO)
    (folder / "0001_initial.py").write_text(first, encoding="utf-8")
    second = DJANGO.format(dependencies="[('app', '0001_initial')]", operations=case.operations)
    (folder / "0002_change.py").write_text(second, encoding="utf-8")
    return "app/migrations/0002_change.py"


def main() -> int:
    """Print the table; 1 where an answer is not the one written down."""
    wrong = 0
    for case in cases():
        with tempfile.TemporaryDirectory() as folder:
            found = answers(case, Path(folder))
        missing = set(case.ours) - found
        wrong += bool(missing)
        shown = ", ".join(case.ours) or f"- ({case.reason})"
        print(f"{case.peer:<24}{case.rule:<46}{shown}{'   MISSED ' + ', '.join(missing) if missing else ''}")
    answered = sum(bool(case.ours) for case in cases())
    print(f"{answered} of {len(list(cases()))} answered; {wrong} not as written")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
