import asyncio
import threading

from sharp_xr.stream.latest import Latest


def test_the_newest_value_wins_and_the_replaced_one_comes_back() -> None:
    async def run() -> None:
        slot: Latest[str] = Latest()
        assert slot.put("old") is None
        assert slot.put("new") == "old"
        assert slot.take() == "new"
        assert slot.take() is None

    asyncio.run(run())


def test_waiting_leaves_the_value_for_whoever_takes_it_later() -> None:
    async def run() -> None:
        slot: Latest[str] = Latest()
        slot.put("first")
        await slot.filled()
        slot.put("second")
        assert slot.take() == "second"

    asyncio.run(run())


def test_a_value_from_another_thread_wakes_the_event_loop() -> None:
    async def run() -> None:
        slot: Latest[int] = Latest()
        waiting = asyncio.create_task(slot.get())
        await asyncio.sleep(0)  # it waits now
        threading.Thread(target=slot.put, args=(7,)).start()
        assert await asyncio.wait_for(waiting, 10) == 7

    asyncio.run(run())


def test_an_emptied_slot_is_waited_for_again() -> None:
    async def run() -> None:
        slot: Latest[int] = Latest()
        slot.put(1)
        slot.take()
        waiting = asyncio.create_task(slot.get())
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        slot.put(2)
        assert await waiting == 2

    asyncio.run(run())


def test_all_values_of_many_threads_are_taken_or_given_back() -> None:
    async def run() -> None:
        slot: Latest[int] = Latest()
        given_back: list[int] = []

        def fill(start: int) -> None:
            for value in range(start, start + 500):
                replaced = slot.put(value)
                if replaced is not None:
                    given_back.append(replaced)

        threads = [threading.Thread(target=fill, args=(500 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        taken: list[int] = []
        while any(thread.is_alive() for thread in threads):
            value = slot.take()
            if value is not None:
                taken.append(value)
            await asyncio.sleep(0)
        last = slot.take()
        everything = taken + given_back + ([] if last is None else [last])
        assert sorted(everything) == list(range(2000))

    asyncio.run(run())
