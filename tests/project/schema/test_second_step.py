"""What is dropped after code has stopped using it, and what an application left behind, is advice only."""

from __future__ import annotations

from pathlib import Path

import contract
import pytest

MIGRATION = (
    "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
    "    dependencies = {}\n    operations = [{}]\n"
)
CREATE = "migrations.CreateModel('Ticket', [('id', models.BigAutoField(primary_key=True))])"
FORGET = "migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel('Ticket')])"
DROP = "migrations.RunSQL('DROP TABLE IF EXISTS {}', migrations.RunSQL.noop)"


@pytest.mark.parametrize(
    ("steps", "reported"),
    [
        ([CREATE, FORGET, DROP.format("shop_ticket")], []),
        ([CREATE, f"{FORGET}, {DROP.format('shop_ticket')}"], ["shop/migrations/0002_step.py"]),
        ([CREATE, DROP.format("left_behind")], []),
    ],
)
def test_the_second_step_is_advice(steps: list[str], reported: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "migrations"
    folder.mkdir(parents=True)
    for file in (tmp_path / "shop" / "__init__.py", folder / "__init__.py"):
        file.touch()
    for number, operations in enumerate(steps, 1):
        before = f"[('shop', '{number - 1:04}_step')]" if number > 1 else "[]"
        (folder / f"{number:04}_step.py").write_text(MIGRATION.format(before, operations))
    findings = contract.scan_sample(tmp_path, "REL402", profile="default").report.findings
    assert [item.location.path for item in findings] == reported
