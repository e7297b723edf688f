"""REL112: jobs that a worker may start before the data that they need is committed."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, EarlyJob, Fn, Hit, Project

WHERE = {
    "block": "inside an open transaction",
    "decorator": "in a function that runs in one transaction",
    "session": "before the commit",
    "signal": "for a signal that is sent inside an open transaction",
}


def check(project: Project) -> Iterator[Hit]:
    """One hit a dispatch, with the transaction and the way from it."""
    for job in project.jobs.early():
        yield _hit(job)


def _hit(job: EarlyJob) -> Hit:
    site, (fn, call) = job.site, job.place
    return Hit(
        message=f"`{fn.name}()` hands over a job ({_called(job)}) {WHERE[job.how]}: "
        "a worker may start it before the data is there, and after a rollback it runs all the same.",
        location=fn.location(call.span),
        related=(job.steps[0],),
        flow=job.steps,
        function=fn.fqn,
        profile="strict" if _relayed(site.fn, site.call) else None,
    )


def _relayed(fn: Fn, call: Call) -> bool:
    """`app.send_task(row.name, ...)`: which job it is stands in a row that was stored before, as an outbox does."""
    func = fn.value(call.func)
    if not str(func[-1]).endswith("send_task"):
        return False
    vid = call.kwarg("name") if call.kwarg("name") >= 0 else next(iter(call.args), -1)
    return vid >= 0 and fn.value(vid)[0] == "attr"


def _called(job: EarlyJob) -> str:
    return f"`{job.site.model.name.rpartition('.')[2]}`"
