"""What a printer's DLE EOT replies mean (Epson TM command reference, "Transmit real-time status").

A real reply has the fixed bits 0xx1xx10; anything else (a clone's noise, an answer to something else) is no reply. A
printer that does not answer is *unknown*, and unknown may print: many network and serial clones never answer.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple


class Ask(IntEnum):
    """The status requests used, DLE EOT n."""

    PRINTER = 1
    OFFLINE_CAUSE = 2
    PAPER = 4


class Fault(NamedTuple):
    """Why a printer cannot print, and what a person should do about it."""

    what: str
    try_this: str


_FAULT_BITS = (
    (Ask.PAPER, 0x60, Fault("paper out 缺纸", "Put in a new roll 换纸")),
    (Ask.OFFLINE_CAUSE, 0x04, Fault("cover open 上盖打开", "Close the cover 合上上盖")),
    (Ask.OFFLINE_CAUSE, 0x20, Fault("printing stopped at the end of the paper 缺纸停机", "Put in a new roll 换纸")),
    (Ask.OFFLINE_CAUSE, 0x40, Fault("printer error 打印机故障", "Switch it off and on, free the cutter 断电重启")),
    (Ask.OFFLINE_CAUSE, 0x08, Fault("the paper button is held 正在按键走纸", "Let go of the button 松开走纸键")),
    (Ask.PRINTER, 0x08, Fault("offline 打印机脱机", "Switch it off and on 断电重启")),
)  # fmt: skip


def request(ask: Ask) -> bytes:
    """The three bytes that ask."""
    return bytes([0x10, 0x04, ask])


def is_reply(byte: int) -> bool:
    """True when the byte has the fixed bits of a status reply."""
    return byte & 0x93 == 0x12


def fault(replies: Mapping[Ask, int]) -> Fault | None:
    """The first fault the replies tell, the most useful words first; None when they tell none."""
    for ask, bits, what in _FAULT_BITS:
        if ask in replies and replies[ask] & bits:
            return what
    return None
