"""Values of which there are few, by which results are kept."""

from __future__ import annotations

import pytest
from building import build

from backendlint.project.loops.memos import few

JOBS = """
class Job:
    kind = {job}
default = Job()
class Export(Job):
    kind = {export}
def keep(job: Job):
    return job.kind
"""


@pytest.mark.parametrize(
    ("job", "export", "expected"),
    [("'job'", "'export'", True), ("'job'", "default.kind", False), ("'job'", "input()", False)],
)
def test_a_field_that_each_class_says_by_a_constant_has_few_values(job: str, export: str, expected: bool) -> None:
    project = build(main=JOBS.format(job=job, export=export))
    keep = project.functions["main.keep"]
    assert few(project, keep, keep.facts.returns[0].value) is expected
