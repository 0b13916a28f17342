"""The demo's beginning and its worst ends: two at once, Ctrl-C at once, `kill -9`, a program that dies."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from edge.demo.processes import DemoFailed, Program
from tests.end_to_end.support import WatchedDemo, processes_of

pytestmark = pytest.mark.timeout(120)


def test_two_that_start_at_the_same_moment_do_not_want_the_same_port(tmp_path: Path) -> None:
    with WatchedDemo("--dir", str(tmp_path / "a")) as one, WatchedDemo("--dir", str(tmp_path / "b")) as other:
        addresses = set()
        for demo in (one, other):
            addresses |= {demo.wait_for(r"(http://\S+)/lane/1", 60)[1], demo.wait_for(r"总部  (http://\S+)", 5)[1]}
        assert len(addresses) == 4


def test_programs_end_when_the_demo_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    with WatchedDemo("--dir", str(folder)) as demo:
        demo.wait_for("/lane/1", 60)
        programs = [line for line in processes_of(folder) if "demo --dir" not in line]
        assert {re.search(r"mosquitto|weighgate-office|weighgate run", line)[0] for line in programs} == {  # type: ignore[index]
            "mosquitto", "weighgate-office", "weighgate run",
        }  # fmt: skip
        demo.process.kill()
        ends = time.monotonic() + 10
        while (left := processes_of(folder)) and time.monotonic() < ends:
            time.sleep(0.1)
        assert left == []


def test_ctrl_c_while_the_program_is_still_being_read(tmp_path: Path) -> None:
    folder = tmp_path / "at-once"
    with WatchedDemo("--dir", str(folder)) as demo:
        maps = Path(f"/proc/{demo.process.pid}/maps")
        while b"pydantic_core" not in maps.read_bytes():  # one of the first things that the commands need
            assert demo.process.poll() is None
        os.killpg(demo.process.pid, signal.SIGINT)
        status = demo.process.wait(10)
    assert (status, demo.output) == (130, "")
    assert processes_of(folder) == []


def test_a_program_that_dies_is_named_with_the_signal_that_ended_it(tmp_path: Path) -> None:
    folder = tmp_path / "dies"
    with WatchedDemo("--dir", str(folder)) as demo:
        demo.wait_for("/lane/1", 60)
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            words = entry.read_bytes().split(b"\0") if entry.exists() else []
            if b"run" in words and str(folder / "plant" / "plant.toml").encode() in words:
                os.kill(int(entry.parent.name), signal.SIGKILL)
        status = demo.process.wait(20)
    assert status == 1
    assert f"demo: the plant was ended from outside by SIGKILL (log: {folder}/plant.log)\n" in demo.output


@pytest.mark.anyio
async def test_its_last_words_are_an_error_not_what_it_said_calmly(tmp_path: Path) -> None:
    log = tmp_path / "plant.log"
    log.write_text(
        "timestamp='…' level='info' event='started'\nplant.toml: web.port: taken\n"
        "timestamp='…' level='warning' event='link down'\n", encoding="utf-8"
    )  # fmt: skip
    program = Program("the plant", ("false",), log)
    with pytest.raises(DemoFailed, match=r"did not become ready: plant\.toml: web\.port: taken \(log"):
        await program.start()
    assert program.ended == 1
