"""What a project sets for the whole program."""

from __future__ import annotations

import pytest
from building import build

from backendlint.project.linking.variables import of_all_modules


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("USE_TZ = True\n", [True]),
        ("from configurations import Configuration\n\nclass Base(Configuration):\n    USE_TZ = True\n", [True]),
        ("class Base:\n    USE_TZ = True\n", []),
        ("class Settings:\n    pass\n\nclass BaseSettings(Settings):\n    USE_TZ = True\n", [True]),
        (
            """from configurations import Configuration

class Base(Configuration):
    USE_TZ = True

class Test(Base):
    USE_TZ = False
""",
            [True, False],
        ),
    ],
)
def test_settings_of_modules_and_classes(text: str, found: list[bool]) -> None:
    project = build(settings=text)
    assert [module.const(vid) for module, vid in of_all_modules(project, "USE_TZ")] == found
