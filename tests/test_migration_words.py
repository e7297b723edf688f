"""What the rules of migrations say of what happens."""

from __future__ import annotations

from pathlib import Path

from contract import findings_in

FIXTURES = Path(__file__).parents[1] / "fixtures" / "reliability"


def words(rule: str, sample: str) -> dict[int, str]:
    """The messages for the second migration of a sample, by line."""
    folder = next(FIXTURES.glob(f"{rule.lower()}_*")) / "bad" / sample
    found = findings_in(folder, rule, ())
    return {item.location.line: item.message for item in found if "/0002_" in item.location.path}


def test_not_null_in_mysql_after_rows_were_filled() -> None:
    said = [message for _, message in sorted(words("REL406", "django_mysql").items())]
    assert "fails on rows that are null" in said[0]
    assert "first fills its null rows with the default" in said[1]
    for after in said[2:]:
        assert "rebuilds the table" in after and "fails on rows" not in after and "fills its null rows" not in after


def test_what_cannot_be_unapplied_is_the_migration_itself() -> None:
    said = words("REL401", "django").values()
    assert said and all("this migration cannot be unapplied" in message for message in said)
