"""Jobs that run, end, and are cancelled."""

from __future__ import annotations

import asyncio

import pytest

from sharp_xr.scenes.jobs import CancelledJob, Jobs


def test_a_job_returns_and_raises_what_its_work_does() -> None:
    async def fails() -> None:
        raise ValueError("no")

    async def test() -> None:
        jobs = Jobs()
        assert await jobs.run("a", asyncio.sleep(0, "result")) == "result"
        with pytest.raises(ValueError, match="no"):
            await jobs.run("a", fails())
        assert "a" not in jobs and not jobs.cancel("a", "why")

    asyncio.run(test())


def test_a_cancelled_job_ends_with_the_sentence_of_who_cancelled_it() -> None:
    async def test() -> None:
        jobs, forever = Jobs(), asyncio.Event()
        waiting = asyncio.create_task(jobs.run("a", forever.wait()))
        await asyncio.sleep(0)
        assert "a" in jobs and not jobs.cancel("b", "why")
        assert jobs.cancel("a", "nobody wants it") and not jobs.cancel("a", "again")
        with pytest.raises(CancelledJob, match="^nobody wants it$") as cancelled:
            await waiting
        assert cancelled.value.status == 409

    asyncio.run(test())


def test_a_settled_job_is_not_cancelled() -> None:
    async def test() -> None:
        jobs, may_end = Jobs(), asyncio.Event()
        waiting = asyncio.create_task(jobs.run("a", may_end.wait()))
        await asyncio.sleep(0)
        jobs.settle("a")
        assert "a" in jobs and not jobs.cancel("a", "too late")
        may_end.set()
        assert await waiting

    asyncio.run(test())


def test_a_job_ends_with_who_waits_for_it() -> None:
    async def test() -> None:
        jobs, ended = Jobs(), asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        waiting = asyncio.create_task(jobs.run("a", work()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        await ended.wait()
        assert "a" not in jobs

    asyncio.run(test())
