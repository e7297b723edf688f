"""REL112: jobs that a worker may start before the data that they need is committed."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, EarlyJob, Fn, Hit, Project

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
    minor = later or job.by_hand or _relayed(site.fn, site.call) or _goes_on(site.fn, site.call)
    when = (
        "that it starts only later is no guarantee that the data is there by then"
        if later
        else "a worker may start it before the data is there"
    )
    return Hit(
        message=f"`{fn.name}()` hands over a job ({_called(job)}) {WHERE[job.how]}: "
        f"{when}, and after a rollback it runs all the same.",
        location=fn.location(call.span),
        related=(job.steps[0],),
        flow=job.steps,
        function=fn.fqn,
        profile="strict" if minor else None,
    )


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


def _goes_on(fn: Fn, call: Call) -> bool:
    """`copy_rows.delay(offset + size)` in `copy_rows`: the next part asks for what was there before."""
    func = fn.value(call.func)
    own = fn.unguarded(func[1]) if func[0] == "attr" else ("name", str(func[-1]).rpartition(".")[0])
    return bool(own == ("name", fn.fqn))


def _called(job: EarlyJob) -> str:
    return f"`{job.site.model.name.rpartition('.')[2]}`"
