"""What every printer type must do. A new driver adds one row to PRINTERS: its rig."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from drivers.ports import DeviceRefused, Printer
from drivers.printer.document import Cut, Document, Qr, Row, Text
from drivers.printer.escpos_printer import EscposConfig
from drivers.printer.escpos_reader import plain_text
from drivers.printer.simulated import SimulatedPrinter, SimulatedPrinterConfig, VirtualPrinter
from drivers.registry import build_printer

PAGE: Document = (Text("出库单", scale=2), Row("净重", "28 340 kg"), Qr("PASS" * 38), Cut())


class Rig(NamedTuple):
    """A printer, what has come out of it, and a way to take its paper or give it back."""

    printer: Printer
    pages: Callable[[], list[bytes]]
    take_paper: Callable[[bool], None]


@contextmanager
def _escpos(folder: Path) -> Iterator[Rig]:
    with VirtualPrinter(folder) as virtual:

        def take_paper(gone: bool) -> None:
            virtual.faults.paper_out = gone

        config = EscposConfig(type="escpos", target=virtual.target, timeout_ms=1000)
        yield Rig(build_printer("printer", config), lambda: list(virtual.documents), take_paper)


@contextmanager
def _simulated(folder: Path) -> Iterator[Rig]:
    printer = build_printer("printer", SimulatedPrinterConfig(type="simulated", folder=folder))
    assert isinstance(printer, SimulatedPrinter)

    def take_paper(gone: bool) -> None:
        printer.paper_out = gone

    yield Rig(printer, lambda: [path.read_bytes() for path in sorted(folder.glob("*.bin"))], take_paper)


PRINTERS: dict[str, Callable[[Path], AbstractContextManager[Rig]]] = {"escpos": _escpos, "simulated": _simulated}


@pytest.fixture(params=PRINTERS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with PRINTERS[request.param](tmp_path / "pages") as made:
        yield made


def _wait_for(rig: Rig, count: int) -> list[bytes]:
    ends_s = time.monotonic() + 5
    while len(rig.pages()) < count and time.monotonic() < ends_s:
        time.sleep(0.01)
    return rig.pages()


def test_each_document_comes_out_whole_and_in_order(rig: Rig, tmp_path: Path) -> None:
    rig.printer.print(PAGE)
    rig.printer.print((Text("第二张"), Cut()))
    assert [plain_text(page).splitlines()[0] for page in _wait_for(rig, 2)] == ["出库单", "第二张"]
    assert sorted(path.name for path in (tmp_path / "pages").glob("*.png")) == ["00001.png", "00002.png"]


def test_without_paper_it_refuses_with_words_and_prints_nothing(rig: Rig) -> None:
    rig.take_paper(True)
    for act in (rig.printer.check, lambda: rig.printer.print(PAGE)):
        with pytest.raises(DeviceRefused) as refused:
            act()
        assert (refused.value.device, refused.value.what) == ("printer", "paper out 缺纸")
        assert refused.value.try_this
    assert rig.pages() == []


def test_it_prints_again_once_it_has_paper(rig: Rig) -> None:
    rig.take_paper(True)
    with pytest.raises(DeviceRefused):
        rig.printer.print(PAGE)
    rig.take_paper(False)
    rig.printer.check()
    rig.printer.print(PAGE)
    assert len(_wait_for(rig, 1)) == 1
