"""type = "serial": an indicator that sends by itself over a serial port or a serial-to-Ethernet converter.

The frames are told in `config/indicators/`; the manuals are named there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from drivers.ports import NO_COMMANDS, DeviceRefused, DeviceUnavailable, ScaleCommand
from drivers.readings import WeightReading
from drivers.scale.frames import FrameDecoder, IndicatorProfile, load_profile, to_reading
from drivers.scale.links import LINK_ERRORS, Link, open_link, reason_of
from drivers.scale.profile import ChecksumUse, Parity, SerialDefaults, Unit
from drivers.worker import monotonic_ms

GARBLED_AFTER_MS = 2_000
STALE_AFTER_MS = 1_000
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
    idle_timeout_ms: int = Field(default=3_000, ge=1_000, le=60_000)
    """`socket://` only: without a byte for so long the connection is opened again, because a cut cable is silent."""

    @field_validator("port")
    @classmethod
    def _port_is_a_path_or_url(cls, port: str) -> str:
        kind, separator, _ = port.partition("://")
        if separator and kind not in URL_KINDS:
            allowed = ", ".join(f"{known}://" for known in URL_KINDS)
            raise ValueError(f"{kind}:// is not known; allowed: a device path, {allowed}")
        if kind == "socket" and separator:
            parts = urlsplit(port)
            if not (parts.hostname and parts.port):
                raise ValueError("write it as socket://host:port")
        if not port.strip():
            raise ValueError("it must not be empty")
        return port

    @model_validator(mode="after")
    def _indicator_is_known(self, info: ValidationInfo) -> "SerialIndicatorConfig":
        self.profile((info.context or {}).get("indicators"))
        return self

    def profile(self, indicators: Path | None = None) -> IndicatorProfile:
        """The indicator's profile with the site's checksum option. Raises ValueError in words."""
        return load_profile(self.indicator, indicators).with_checksum(self.checksum)

    def line(self, profile: IndicatorProfile) -> SerialDefaults:
        """The line settings: the site's where given, else the profile's."""
        own: dict[str, Any] = {name: getattr(self, name) for name in SerialDefaults.model_fields}
        return profile.serial.model_copy(update={name: value for name, value in own.items() if value is not None})


class SerialIndicator:
    """The scale at the end of a line. Every reading is made of bytes that arrived after `open`; nothing is kept."""

    def __init__(self, name: str, config: SerialIndicatorConfig, indicators: Path | None = None) -> None:
        self.name = name
        self.config = config
        self._profile = config.profile(indicators)
        self._unit = config.unit or self._profile.unit
        self._watched = config.port.startswith("socket://")
        self._link: Link | None = None
        self._decoder = FrameDecoder(self._profile)
        self._opened_ms = 0
        self._read_ms = 0
        self._last_byte_ms: int | None = None
        self._garbage_since_ms: int | None = None
        self._garbled = False

    def open(self) -> None:
        """Open the line. Raises DeviceUnavailable."""
        try:
            self._link = open_link(self.config.port, self.config.line(self._profile))
        except LINK_ERRORS as error:
            raise DeviceUnavailable(
                self.name,
                f"cannot open {self.config.port}: {reason_of(error)}",
                "Check that it is plugged in, that this user may open it, and that no other program has it",
            ) from error
        self._decoder = FrameDecoder(self._profile)
        self._opened_ms = self._read_ms = monotonic_ms()
        self._last_byte_ms = self._garbage_since_ms = None
        self._garbled = False

    def read(self) -> Sequence[WeightReading]:
        """The readings that arrived within 0.2 s. Raises DeviceUnavailable when the line is lost."""
        assert self._link is not None
        try:
            self._discard_what_waited(self._link)
            data = self._link.read()
        except LINK_ERRORS as error:
            raise DeviceUnavailable(
                self.name,
                f"{self.config.port} is lost: {reason_of(error)}",
                "Check the cable and the indicator's power",
            ) from error
        self._read_ms = now_ms = monotonic_ms()
        if not data:
            self._watch(now_ms)
            return ()
        self._last_byte_ms = now_ms
        weights = self._decoder.feed(data)
        self._judge(now_ms, bool(weights))
        return [to_reading(weight, now_ms, self._unit, accept_net=self.config.accept_net) for weight in weights]

    def close(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        try:
            link.close()
        except LINK_ERRORS as error:
            raise DeviceUnavailable(self.name, f"closing failed: {reason_of(error)}", "Nothing to do") from error

    commands = NO_COMMANDS

    def command(self, command: ScaleCommand) -> None:
        raise DeviceRefused(self.name, f"it takes no command ({command})", "Use the keys of the indicator")

    @property
    def garbled(self) -> bool:
        return self._garbled

    @property
    def last_byte_ms(self) -> int | None:
        return self._last_byte_ms

    def _discard_what_waited(self, link: Link) -> None:
        """When the whole program stood still (suspended, swapping), the system kept the frames of that time; they would
        look fresh now."""
        if monotonic_ms() - self._read_ms >= STALE_AFTER_MS:
            link.discard()
            self._decoder = FrameDecoder(self._profile)

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
        if self._watched and now_ms - last_ms >= self.config.idle_timeout_ms:
            raise DeviceUnavailable(
                self.name,
                f"nothing came from {self.config.port} for {self.config.idle_timeout_ms / 1000:g} s",
                "Check the converter, its cable and that the indicator sends continuously",
            )
