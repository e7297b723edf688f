"""What runs side by side without a bound, and what runs in a row without need."""

from __future__ import annotations

import pytest
from building import build

HEAD = """
import asyncio, httpx
client = httpx.AsyncClient(timeout=5)
limit = asyncio.Semaphore(5)
async def one(x):
    return await client.get(f'https://a.internal/{x}')
async def two(x):
    async with limit:
        return await one(x)
async def three(x):
    return await client.post(f'https://a.internal/{x}')
"""


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ("await asyncio.gather(*[one(x) for x in xs])", ["gather"]),
        ("await asyncio.gather(*(one(x) for x in xs))", ["gather"]),
        ("todo = [one(x) for x in xs]\n    await asyncio.gather(*todo)", ["gather"]),
        ("await asyncio.gather(*[two(x) for x in xs])", []),
        ("await asyncio.gather(*[one(x) for x in xs[:5]])", []),
        ("await asyncio.gather(*[one(x) for x in (1, 2)])", []),
        ("await asyncio.gather(one(1), one(2))", []),
        ("q = asyncio.Queue()\n    for x in xs: q.put_nowait(x)", ["queue"]),
        ("q = asyncio.Queue(maxsize=0)\n    for x in xs: q.put_nowait(x)", ["queue"]),
        ("q = asyncio.Queue(10)\n    for x in xs: q.put_nowait(x)", []),
        ("q = asyncio.Queue()\n    q.put_nowait(xs)", []),
        ("q = asyncio.Queue()\n    client.on(lambda x: q.put_nowait(x))", ["queue"]),
    ],
)
def test_unbounded(body: str, kinds: list[str]) -> None:
    project = build(main=f"{HEAD}async def f(xs):\n    {body}\n")
    assert [item.kind for item in project.fanouts.unbounded()] == kinds


@pytest.mark.parametrize(
    ("body", "runs"),
    [
        ("a = await one(1)\n    b = await one(2)\n    return a, b", 1),
        ("a = await one(1)\n    return await one(2)", 1),
        ("a = await one(1)\n    b = await one(a)", 0),
        ("a = await one(1)\n    c = a.json()\n    b = await one(c['x'])", 0),
        ("a = await one(1)\n    if a:\n        return 1\n    b = await one(2)", 0),
        ("a = await one(1)\n    a.raise_for_status()\n    b = await one(2)", 0),
        ("a = await three(1)\n    b = await one(2)", 0),
    ],
)
def test_independent(body: str, runs: int) -> None:
    project = build(main=f"{HEAD}async def f():\n    {body}\n")
    assert len([run for run in project.sequences.independent() if run.fn.name == "f"]) == runs


def test_a_gather_names_the_session_that_all_share() -> None:
    project = build(
        main="""
            import asyncio
            from sqlalchemy import text
            from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
            async def load(session: AsyncSession, key: str):
                return await session.execute(text("select 1 where :k = 'a'"), {"k": key})
            async def fresh(sessions: async_sessionmaker, key: str):
                async with sessions() as session:
                    return await load(session, key)
            async def shared(session: AsyncSession, keys: list[str]):
                return await asyncio.gather(*[load(session, key) for key in keys])
            async def apart(sessions: async_sessionmaker, keys: list[str]):
                return await asyncio.gather(*[fresh(sessions, key) for key in keys])
        """
    )
    found = {item.site.fn.name: item.shared for item in project.fanouts.unbounded()}
    assert found == {"shared": "AsyncSession", "apart": ""}
