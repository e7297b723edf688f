"""REL112: jobs that a worker may start before the data that they need is committed."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, EarlyJob, Fn, Hit, Project, ingredients

WHERE = {
    "block": "inside an open transaction",
    "decorator": "in a function that runs in one transaction",
    "request": "while the request's transaction is open",
    "session": "before the commit",
    "signal": "for a signal that is sent inside an open transaction",
}


def check(project: Project) -> Iterator[Hit]:
    """One hit a dispatch, with the transaction and the way from it."""
    for job in project.jobs.early():
        yield _hit(job)


def _hit(job: EarlyJob) -> Hit:
    site, (fn, call) = job.site, job.place
    later = _delayed(site.fn, site.call)
    minor = later or job.by_hand or _relayed(site.fn, site.call) or _goes_on(site.fn, site.call) or _of_outbox(job)
    return Hit(
        message=_message(job, later=later),
        location=fn.location(call.span),
        related=(job.steps[0],),
        flow=job.steps,
        function=fn.fqn,
        profile="strict" if minor else None,
    )


def _message(job: EarlyJob, *, later: bool) -> str:
    name = job.place[0].name
    if job.site.model.task is None:
        return (
            f"`{name}()` sends a message ({_called(job)}) {WHERE[job.how]}: who reads it may not find the data yet, and after a "
            "rollback it stands all the same."
        )
    when = (
        "that it starts only later is no guarantee that the data is there by then"
        if later
        else "a worker may start it before the data is there"
    )
    return f"`{name}()` hands over a job ({_called(job)}) {WHERE[job.how]}: {when}, and after a rollback it runs all the same."


def _delayed(fn: Fn, call: Call) -> bool:
    """`apply_async(countdown=5)`, `eta=...`: the job waits, most often for the commit; not where that may be nothing."""
    if fn.callee_name(call) not in ("apply_async", "send_task"):
        return False
    given = (vid for name in ("countdown", "eta") if (vid := call.kwarg(name)) >= 0)
    return any(fn.const(vid) and fn.unguarded(vid)[0] not in ("param", "phi", "bool") for vid in given)


def _relayed(fn: Fn, call: Call) -> bool:
    """`app.send_task(row.name, ...)`: which job it is stands in a row that was stored before, as an outbox does."""
    func = fn.value(call.func)
    if not str(func[-1]).endswith("send_task"):
        return False
    vid = call.kwarg("name") if call.kwarg("name") >= 0 else next(iter(call.args), -1)
    return vid >= 0 and fn.value(vid)[0] == "attr"


def _of_outbox(job: EarlyJob) -> bool:
    """`for row in pending: producer.send(TOPIC, row.body)`: messages that were stored before."""
    places = {(job.site.fn.fqn, job.site.call): job.site.fn, (job.place[0].fqn, job.place[1]): job.place[0]}
    return job.site.model.task is None and any(
        fn.value(vid)[0] == "elem" for (_, call), fn in places.items() for vid in ingredients(fn.facts, call.passed)
    )


def _goes_on(fn: Fn, call: Call) -> bool:
    """`copy_rows.delay(offset + size)` in `copy_rows`: the next part asks for what was there before."""
    func = fn.value(call.func)
    own = fn.unguarded(func[1]) if func[0] == "attr" else ("name", str(func[-1]).rpartition(".")[0])
    return bool(own == ("name", fn.fqn))


def _called(job: EarlyJob) -> str:
    return f"`{job.site.model.name.rpartition('.')[2]}`"
