"""The process that outlives its starter, to end what that left."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE

import pytest

from llmd_autoscaler.local import guard


def test_what_was_taken_off_the_list_is_left_alone():
    assert guard.watch(["+11\n", "+12\n", "-11\n"]) == {12}


@pytest.mark.slow
async def test_when_its_starter_is_gone_it_ends_the_groups_that_are_left():
    async def sleeper():
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import time; time.sleep(600)", start_new_session=True
        )

    watching = await asyncio.create_subprocess_exec(
        sys.executable, guard.__file__, stdin=PIPE, stdout=DEVNULL, start_new_session=True
    )
    left, stopped = await sleeper(), await sleeper()
    try:
        lines = f"+{left.pid}\n+{stopped.pid}\n-{stopped.pid}\n"
        watching.stdin.write(lines.encode())
        watching.stdin.close()  # as the kernel does it when a process dies
        async with asyncio.timeout(30):
            assert await left.wait() == -15
            await watching.wait()
        assert stopped.returncode is None
    finally:
        stopped.kill()
        await stopped.wait()
