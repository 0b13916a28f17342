"""type = "serial": an indicator on a serial port or a serial-to-Ethernet converter; it sends by itself or is asked.

The frames are told in `config/indicators/`; the manuals are named there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from drivers.ports import CommandNo, CommandRefused, DeviceTimeout, DeviceUnavailable, ScaleCommand
from drivers.readings import WeightReading
from drivers.scale.asking import Mode, Poll
from drivers.scale.bus import join
from drivers.scale.conversation import Listening, Polling
from drivers.scale.frames import IndicatorProfile, load_profile, to_reading
from drivers.scale.links import LINK_ERRORS, Dial, open_link, over_network, reason_of
from drivers.scale.profile import ChecksumUse, Parity, SerialDefaults, Unit
from drivers.worker import monotonic_ms

GARBLED_AFTER_MS = 2_000
URL_KINDS = ("socket", "rfc2217", "loop")


class SerialIndicatorConfig(BaseModel):
    """One indicator on a line. What is None comes from the indicator's profile."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["serial"]
    port: str
    """A device path (`/dev/serial/by-path/…`), `socket://host:port`, `rfc2217://host:port` or `loop://`."""
    indicator: str
    baud: int | None = Field(default=None, ge=300, le=921_600)
    bytesize: Literal[7, 8] | None = None
    parity: Parity | None = None
    stopbits: Literal[1, 2] | None = None
    unit: Unit | None = None
    """The unit of frames that name none."""
    accept_net: bool = False
    """Take net frames as gross: only for an indicator that always says net and is never tared."""
    checksum: ChecksumUse | None = None
    mode: Mode | None = None
    """"stream": it sends by itself. "poll": it is asked, for profiles that say how."""
    address: int | None = Field(default=None, ge=0, le=255)
    """Its address on a line that it shares (RS-485), for profiles that have one; the others on the line need another
    and the same `port`."""
    poll_every_ms: int | None = Field(default=None, ge=20, le=800)
    poll_answer_ms: int | None = Field(default=None, ge=20, le=800)
    idle_timeout_ms: int = Field(default=3_000, ge=1_000, le=60_000)
    """`socket://` and `rfc2217://` only: without a byte for so long the connection is opened again, because a cut cable
    is silent."""

    @field_validator("port")
    @classmethod
    def _port_is_a_path_or_url(cls, port: str) -> str:
        kind, separator, _ = port.partition("://")
        if separator and kind not in URL_KINDS:
            allowed = ", ".join(f"{known}://" for known in URL_KINDS)
            raise ValueError(f"{kind}:// is not known; allowed: a device path, {allowed}")
        if kind in ("socket", "rfc2217") and separator:
            parts = urlsplit(port)
            if not (parts.hostname and parts.port):
                raise ValueError(f"write it as {kind}://host:port")
        if not port.strip():
            raise ValueError("it must not be empty")
        return port

    @model_validator(mode="after")
    def _indicator_is_known(self, info: ValidationInfo) -> "SerialIndicatorConfig":
        self.profile((info.context or {}).get("indicators"))
        return self

    def profile(self, indicators: Path | None = None) -> IndicatorProfile:
        """The indicator's profile with the site's own choices. Raises ValueError in words."""
        profile = load_profile(self.indicator, indicators).with_checksum(self.checksum)
        mode, poll = self.mode or profile.mode, profile.poll
        if mode == "poll" and poll is None:
            raise ValueError(f"indicator {self.indicator!r} cannot be asked, it only sends; leave mode out")
        own = {"every_ms": self.poll_every_ms, "answer_ms": self.poll_answer_ms}
        own = {name: value for name, value in own.items() if value is not None}
        if mode == "stream" and own:
            raise ValueError('poll_every_ms and poll_answer_ms are for mode = "poll"')
        self._check_address(poll)
        if poll is not None:
            poll = poll.model_copy(update=own)
        return profile.model_copy(update={"mode": mode, "poll": poll})

    def _check_address(self, poll: Poll | None) -> None:
        if self.address is None:
            return
        if poll is None or poll.addresses is None:
            raise ValueError(f"indicator {self.indicator!r} has no address; leave it out")
        least, most = poll.addresses
        if not least <= self.address <= most:
            raise ValueError(f"address {self.address}: indicator {self.indicator!r} takes {least} to {most}")

    def address_of(self, profile: IndicatorProfile) -> int | None:
        """The site's address, or the one the indicator leaves the factory with."""
        return self.address if self.address is not None or profile.poll is None else profile.poll.address

    def line(self, profile: IndicatorProfile) -> SerialDefaults:
        """The line settings: the site's where given, else the profile's."""
        own: dict[str, Any] = {name: getattr(self, name) for name in SerialDefaults.model_fields}
        return profile.serial.model_copy(update={name: value for name, value in own.items() if value is not None})


def check_shared(configs: Sequence[SerialIndicatorConfig]) -> None:
    """Raises ValueError in words where several name the same port and cannot share it."""
    for port in {config.port for config in configs}:
        sharing = [config for config in configs if config.port == port]
        if len(sharing) == 1:
            continue
        if any(config.address is None or config.profile().mode != "poll" for config in sharing):
            raise ValueError(f'{port}: on a shared line each indicator needs mode = "poll" and an address of its own')
        if len({config.address for config in sharing}) < len(sharing):
            raise ValueError(f"{port}: two indicators have the same address")
        if len({config.line(config.profile()) for config in sharing}) > 1:
            raise ValueError(f"{port}: all indicators on one line need the same line settings")


class SerialIndicator:
    """The scale at the end of a line. Every reading is made of bytes that arrived after `open`; nothing is kept.

    `dial` opens the line; for those who listen in.
    """

    def __init__(
        self, name: str, config: SerialIndicatorConfig, indicators: Path | None = None, dial: Dial = open_link
    ) -> None:
        self.name = name
        self._dial = dial
        self.config = config
        self._profile = config.profile(indicators)
        self._unit = config.unit or self._profile.unit
        self._networked = over_network(config.port)
        self._talk: Listening | Polling | None = None
        self._opened_ms = 0
        self._last_byte_ms: int | None = None
        self._garbage_since_ms: int | None = None
        self._garbled = False

    def open(self) -> None:
        """Open the line. Raises DeviceUnavailable."""
        profile, line = self._profile, self.config.line(self._profile)
        address = self.config.address_of(profile)
        try:
            if profile.mode == "poll":
                place = join(self.config.port, line, address, self._dial)
                self._talk = Polling(place, profile, line, networked=self._networked)
            else:
                link = self._dial(self.config.port, line)
                self._talk = Listening(link, profile, address, networked=self._networked)
        except LINK_ERRORS as error:
            raise DeviceUnavailable(
                self.name,
                f"cannot open {self.config.port}: {reason_of(error)}",
                "Check that it is plugged in, that this user may open it, and that no other program has it",
            ) from error
        self._opened_ms = monotonic_ms()
        self._last_byte_ms = self._garbage_since_ms = None
        self._garbled = False

    def read(self) -> Sequence[WeightReading]:
        """The readings that arrived within 0.2 s; of an indicator that is asked, the answer to one request.

        Raises DeviceUnavailable when the line is lost.
        """
        assert self._talk is not None
        try:
            heard = self._talk.hear()
        except LINK_ERRORS as error:
            raise self._lost(error) from error
        now_ms = monotonic_ms()
        if heard.any_byte:
            self._last_byte_ms = now_ms
            self._judge(now_ms, heard.framed)
        else:
            self._watch(now_ms)
        if not heard.weights:
            return ()
        accept_net = self.config.accept_net
        return [to_reading(weight, heard.at_ms, self._unit, accept_net=accept_net) for weight in heard.weights]

    @property
    def commands(self) -> frozenset[ScaleCommand]:
        return frozenset(command.name for command in self._profile.command)

    def command(self, command: ScaleCommand, not_after_ms: int | None = None) -> None:
        """Tell the indicator, and return when it says or its weight shows that it was done."""
        assert self._talk is not None
        known = next((each for each in self._profile.command if each.name is command), None)
        if known is None:
            raise CommandRefused(self.name, command, CommandNo.NOT_KNOWN)
        try:
            told = self._talk.tell(known, not_after_ms)
        except LINK_ERRORS as error:
            raise self._lost(error) from error
        if told.any_byte:
            self._last_byte_ms = monotonic_ms()
        if isinstance(told.verdict, CommandNo):
            raise CommandRefused(self.name, command, told.verdict)
        if told.verdict is None and told.any_byte and not known.done:
            raise CommandRefused(self.name, command, CommandNo.NO_EFFECT)
        if told.verdict is None:
            raise DeviceTimeout(
                self.name, f"no answer to {command}, it may have been done", "Look at the indicator before you go on"
            )

    def close(self) -> None:
        talk, self._talk = self._talk, None
        if talk is None:
            return
        try:
            talk.close()
        except LINK_ERRORS as error:
            raise DeviceUnavailable(self.name, f"closing failed: {reason_of(error)}", "Nothing to do") from error

    @property
    def garbled(self) -> bool:
        return self._garbled

    @property
    def last_byte_ms(self) -> int | None:
        return self._last_byte_ms

    def _lost(self, error: BaseException) -> DeviceUnavailable:
        return DeviceUnavailable(
            self.name,
            f"{self.config.port} is lost: {reason_of(error)}",
            "Check the cable and the indicator's power",
        )

    def _judge(self, now_ms: int, framed: bool) -> None:
        if framed:
            self._garbage_since_ms = None
        elif self._garbage_since_ms is None:
            self._garbage_since_ms = now_ms
        self._garbled = self._garbage_since_ms is not None and now_ms - self._garbage_since_ms >= GARBLED_AFTER_MS

    def _watch(self, now_ms: int) -> None:
        """A line that fell silent is not garbled, and a silent connection may be a dead one."""
        last_ms = self._opened_ms if self._last_byte_ms is None else self._last_byte_ms
        if now_ms - last_ms >= GARBLED_AFTER_MS:
            self._garbage_since_ms, self._garbled = None, False
        if self._networked and now_ms - last_ms >= self.config.idle_timeout_ms:
            raise DeviceUnavailable(
                self.name,
                f"nothing came from {self.config.port} for {self.config.idle_timeout_ms / 1000:g} s",
                "Check the converter, its cable and that the indicator sends continuously",
            )
