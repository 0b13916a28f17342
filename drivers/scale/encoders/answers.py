"""The other half of indicators that are asked or told: requests in, answers out, as their manuals have it.

A request with another indicator's address gets silence. Zero and tare are done by the `Desk`, which may refuse.
"""

import re
from abc import ABC, abstractmethod
from typing import Protocol

from drivers.ports import CommandNo
from drivers.scale.encoders.american import sma
from drivers.scale.encoders.comma import ad_std, dini_ext, dini_std
from drivers.scale.encoders.european import SYSTEC_MOVING, sartorius_sbi, systec
from drivers.scale.encoders.rinstrum import ANSWER, GROSS_REGISTER, READ_LITERAL, rinstrum_net
from drivers.scale.encoders.shown import Encoder, Shown, xor_hex
from drivers.scale.encoders.toledo import mt_sics
from drivers.scale.encoders.yaohua import yaohua_command
from drivers.scale.layout import without_parity

LONGEST_REQUEST = 64


class Desk(Protocol):
    """The scale behind an indicator; None from an order means that it was done."""

    def shown(self) -> Shown: ...
    def keep(self) -> Shown: ...
    def zero(self) -> CommandNo | None: ...
    def tare(self) -> CommandNo | None: ...
    def clear_tare(self) -> CommandNo | None: ...


class Answers(ABC):
    """One indicator's side of a conversation. Mutable, single owner."""

    end = b"\r\n"
    streaming = False
    """It sends by itself, from the factory or since somebody asked for it."""
    first_address: int | None = None
    """The address it leaves the factory with; None where it has none until somebody sets one."""

    def __init__(self, desk: Desk, address: int | None = None) -> None:
        self.desk = desk
        self.address = self.first_address if address is None else address
        self._said = b""

    def take(self, data: bytes) -> bytes:
        """What it answers to the requests that are complete with these bytes."""
        self._said += without_parity(data)
        answers = b""
        while self.end in self._said:
            request, _, self._said = self._said.partition(self.end)
            answers += self.answer(request)
        self._said = self._said[-LONGEST_REQUEST:]
        return answers

    def later(self) -> bytes:
        """An answer that had to wait (for a stable weight), if it is due now."""
        return b""

    @abstractmethod
    def answer(self, request: bytes) -> bytes:
        """The answer to one request without its end; empty for silence."""


class YaohuaCommand(Answers):
    """XK3190-A23p p. 26: STX, address A to Z, A handshake, B gross, C tare, D net, XOR, ETX. It takes no orders."""

    end = b"\x03"
    first_address = 1
    clone = False

    def answer(self, request: bytes) -> bytes:
        found = re.search(rb"\x02([A-Z])([A-D])([0-9A-F]{2})\Z", request)
        if not found or found[3] != xor_hex(found[1] + found[2]) or found[1][0] != ord("A") - 1 + (self.address or 0):
            return b""
        if found[2] == b"A":
            return found[0] + self.end
        return yaohua_command(self.desk.shown(), self.address or 0, found[2], clone=self.clone)


class YaohuaClone(YaohuaCommand):
    """TDI-200A1 and others: the answer's checksum leaves out the address and the command."""

    clone = True


class Toledo(Answers):
    """Single characters while it goes on sending: Z zero, T tare, C clear tare, P print. The display is the answer."""

    streaming = True

    def take(self, data: bytes) -> bytes:
        for byte in without_parity(data):
            self.answer(bytes([byte]))
        return b""

    def answer(self, request: bytes) -> bytes:
        match request:
            case b"Z":
                self.desk.zero()
            case b"T":
                self.desk.tare()
            case b"C":
                self.desk.clear_tare()
        return b""


class Patient(Answers):
    """One that can be asked for the next stable weight, and is silent until then."""

    encode: Encoder

    def __init__(self, desk: Desk, address: int | None = None) -> None:
        super().__init__(desk, address)
        self._waits = False

    def later(self) -> bytes:
        shown = self.desk.shown() if self._waits else None
        if shown is None or (shown.moving and not shown.out_of_range):
            return b""
        self._waits = False
        return type(self).encode(shown)


_SICS_NO = {CommandNo.ABOVE_RANGE: b"+", CommandNo.BELOW_RANGE: b"-"}


class MtSics(Patient):
    """MT-SICS level 0 and 1: S waits for a stable weight, SI does not, SIR goes on until the next request."""

    encode = staticmethod(mt_sics)
    serial_number = b"0123456789"

    def answer(self, request: bytes) -> bytes:
        self._waits = self.streaming = False
        match request:
            case b"S":
                self._waits = True
                return self.later()
            case b"SI":
                return mt_sics(self.desk.shown())
            case b"SIR":
                self.streaming = True
                return b""
            case b"Z" | b"ZI":
                return self._done(request, self.desk.zero(), b"A" if request == b"Z" else b"S")
            case b"T" | b"TI":
                return self._tare(request)
            case b"TA":
                return b"TA A " + self._tare_weight()
            case b"TAC":
                self.desk.clear_tare()
                return b"TAC A\r\n"
            case b"@" | b"I4":
                return b'I4 A "%s"\r\n' % self.serial_number
        return b"ES\r\n"

    def _tare(self, request: bytes) -> bytes:
        no = self.desk.tare()
        return self._done(request, no, b"") if no else b"%s S %s" % (request, self._tare_weight())

    def _tare_weight(self) -> bytes:
        shown = self.desk.shown()
        return shown.blanks(10, shown.tare_kg) + b" " + shown.unit.encode() + b"\r\n"

    def _done(self, request: bytes, no: CommandNo | None, yes: bytes) -> bytes:
        return b"%s %s\r\n" % (request, yes if no is None else _SICS_NO.get(no, b"I"))


class Sma(Patient):
    """SMA level 1: every request is LF, a letter and CR. W weight now, P when stable, R again and again."""

    end = b"\r"
    encode = staticmethod(sma)

    def answer(self, request: bytes) -> bytes:
        begin = request.rfind(b"\n")
        if begin < 0:
            return b""
        self._waits = self.streaming = False
        fault = b""
        match request[begin + 1 :]:
            case b"W":
                pass
            case b"P":
                self._waits = True
                return self.later()
            case b"R":
                self.streaming = True
                return b""
            case b"Z":
                fault = b"E" if self.desk.zero() else b""
            case b"T":
                fault = b"T" if self.desk.tare() else b""
            case b"C":
                self.desk.clear_tare()
            case b"M":
                return self._tare_weight()
            case _:
                return b"\n?\r"
        return sma(self.desk.shown(), fault)

    def _tare_weight(self) -> bytes:
        shown = self.desk.shown()
        return b"\n 1T  " + shown.blanks(10, shown.tare_kg) + shown.unit.ljust(3).encode() + b"\r"


class RinstrumNet(Answers):
    """C500 network protocol: address, command and register in hex, a colon, the end. Address 0 speaks to all; without
    bit 5 nobody wants an answer. Here register 0026 (gross) can be read in words, and 0300 (zero) executed."""

    end = b";"
    first_address = 1
    wants_answer = 0x20
    failed = 0x40
    zero = (b"10", b"0300")

    def answer(self, request: bytes) -> bytes:
        found = re.search(rb"([0-9A-F]{2})([0-9A-F]{2})([0-9A-F]{4}):[^:]*\Z", request)
        address = self.address or 0
        if not found:
            return b""
        flags = int(found[1], 16)
        if not flags & self.wants_answer or flags & 0x1F not in (0, address):
            return b""
        if (int(found[2], 16), int(found[3], 16)) == (READ_LITERAL, GROSS_REGISTER):
            return rinstrum_net(self.desk.shown(), address)
        done = (found[2], found[3]) == self.zero and self.desk.zero() is None
        return b"%02X%s%s:\r\n" % (ANSWER | (0 if done else self.failed) | address, found[2], found[3])


class DiniStd(Answers):
    """DGT4X: READ or R, ZERO or Z, TARE or T, CLEAR or C, with the two digits of the address before it on RS-485."""

    streaming = True

    def answer(self, request: bytes) -> bytes:
        prefix = b"" if self.address is None else b"%02d" % self.address
        if not request.startswith(prefix):
            return b""
        return self._answer(request[len(prefix) :], prefix)

    def _answer(self, order: bytes, prefix: bytes) -> bytes:
        no: CommandNo | None = None
        match order:
            case b"READ" | b"R":
                return self.weight()
            case b"REXT":
                return dini_ext(self.desk.shown(), self.address)
            case b"ZERO" | b"Z":
                no = self.desk.zero()
            case b"TARE" | b"T":
                no = self.desk.tare()
            case b"CLEAR" | b"C":
                no = self.desk.clear_tare()
            case _:
                return prefix + b"ERR04\r\n"
        return prefix + (b"ERR03\r\n" if no else b"OK\r\n")

    def weight(self) -> bytes:
        return dini_std(self.desk.shown(), self.address)


class DiniExt(DiniStd):
    """The same with the extended string."""

    def weight(self) -> bytes:
        return dini_ext(self.desk.shown(), self.address)


class Systec(Answers):
    """RN waits for nothing: a weight that moves is an error number. RM gives the weight of the moment."""

    end = b">"
    done = b"<00>\r\n"

    def answer(self, request: bytes) -> bytes:
        no: CommandNo | None = None
        match request[request.rfind(b"<") :]:
            case b"<RN":
                shown = self.desk.keep()
                return SYSTEC_MOVING if shown.moving and not shown.out_of_range else systec(shown)
            case b"<RM":
                return systec(self.desk.shown())
            case b"<SZ":
                no = self.desk.zero()
            case b"<TA":
                no = self.desk.tare()
            case b"<TC":
                no = self.desk.clear_tare()
            case _:
                return b"<32>\r\n"
        if no is CommandNo.MOVING:
            return SYSTEC_MOVING
        return b"<11>\r\n" if no else self.done


class AdStd(Answers):
    """AD-4404: RW weight, MZ zero, MT tare, CT clear tare; the order comes back when it is done, I when it is not."""

    streaming = True

    def answer(self, request: bytes) -> bytes:
        no: CommandNo | None = None
        match request:
            case b"RW":
                return ad_std(self.desk.shown())
            case b"MZ":
                no = self.desk.zero()
            case b"MT":
                no = self.desk.tare()
            case b"CT":
                no = self.desk.clear_tare()
            case _:
                return b"?\r\n"
        return b"I\r\n" if no else request + b"\r\n"


class Cas22(Answers):
    """CI-200A command mode: D, the device number, and the key: KZ zero, KT tare. It says the order again."""

    streaming = True

    def answer(self, request: bytes) -> bytes:
        match request:
            case b"D01KZ":
                self.desk.zero()
            case b"D01KT":
                self.desk.tare()
            case _:
                return b""
        return request + b"\r\n"


class Rlws(Answers):
    """920i and IQ plus 355: the names of the keys. OK when it is done, ?? when it is not."""

    end = b"\r"
    streaming = True

    def answer(self, request: bytes) -> bytes:
        match request:
            case b"KZERO":
                no = self.desk.zero()
            case b"KTARE":
                no = self.desk.tare()
            case b"KCLRTAR":
                no = self.desk.clear_tare()
            case _:
                return b"??\r\n"
        return b"??\r\n" if no else b"OK\r\n"


class SartoriusSbi(Answers):
    """ESC and a letter: P print, V zero. What is told to it is not answered."""

    streaming = True

    def answer(self, request: bytes) -> bytes:
        match request:
            case b"\x1bP":
                return sartorius_sbi(self.desk.shown())
            case b"\x1bV":
                self.desk.zero()
        return b""


ANSWERS: dict[str, type[Answers]] = {
    "yaohua_command": YaohuaCommand,
    "toledo": Toledo,
    "ad_std": AdStd,
    "mt_sics": MtSics,
    "dini_std": DiniStd,
    "dini_ext": DiniExt,
    "rinstrum_net": RinstrumNet,
    "cas22": Cas22,
    "rlws": Rlws,
    "sma": Sma,
    "systec": Systec,
    "sartorius_sbi": SartoriusSbi,
}
"""By the indicator's name; the others only send."""
