"""What the bytes of a line prove about the indicator behind it. Pure: bytes in, candidates with their evidence out.

Every profile's decoder hears the same bytes. The best candidate is the one whose frames hold the most of them; two that
hold as much are never told apart by guessing. `detect_line.py` does the listening.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from drivers.scale.frames import FrameDecoder, WireWeight
from drivers.scale.profile import ChecksumUse, IndicatorProfile, Parity, SerialDefaults

LEAST_FRAMES = 3
LEAST_SHARE = 0.6
"""Below this, more than a third of the line is something that the candidate cannot read."""
ENOUGH_CHECKSUMS = 5
AS_GOOD = 0.9
"""Whose frames hold nine tenths as many bytes as the best one's cannot be told from it."""
EXAMPLE_BYTES = 64

_TEXT = frozenset(range(0x20, 0x7F)) | frozenset(b"\x02\x03\x0a\x0d")


class Verdict(StrEnum):
    """What `weighgate scale detect` can say."""

    FOUND = "found"
    AMBIGUOUS = "ambiguous"
    """Several read this line equally well."""
    UNSURE = "unsure"
    """Frames, but too few or too many bytes beside them."""
    NO_FRAMES = "no_frames"
    SILENT = "silent"
    CANNOT_OPEN = "cannot_open"


class Framing(NamedTuple):
    """Data bits and parity as the bytes show them; how many stop bits there were is never seen."""

    bytesize: int
    parity: Parity


@dataclass(frozen=True, slots=True)
class Candidate:
    """A profile that reads the line, and why one may believe it. Numbers are those of the wire, in its `units`."""

    indicator: str
    title: str
    line: SerialDefaults | None
    """None where the line has no settings of its own (socket://)."""
    asked: bool
    """These frames are answers to its own request."""
    frames: int
    share: float
    """Of all bytes, those that stand inside its frames; 0 to 1."""
    per_second: float | None
    """None for answers: they come as often as somebody asks."""
    checksums_right: int | None
    """None where the protocol has none, or this program does not look at it."""
    checksums_wrong: int | None
    lowest: Decimal | None
    highest: Decimal | None
    units: tuple[str, ...]
    stable: int
    moving: int
    """How many frames said so; neither where the protocol has no such flag."""
    out_of_range: int
    example: bytes
    weights: tuple[Decimal | None, ...]
    """The last frames' weights, to compare candidates."""


class Ear:
    """All decoders at once on one line, since it was tuned."""

    def __init__(self, profiles: Iterable[IndicatorProfile]) -> None:
        self.data = bytearray()
        self._profiles = list(profiles)
        self._strict = [FrameDecoder(checking(profile, "verify")) for profile in self._profiles]
        self._loose = [FrameDecoder(checking(profile, "ignore")) for profile in self._profiles]
        self._right = [0] * len(self._profiles)
        self._found: list[list[WireWeight]] = [[] for _ in self._profiles]
        self._loosely = [0] * len(self._profiles)

    def feed(self, data: bytes) -> bool:
        """Hear some bytes; True when they completed a frame of any profile."""
        self.data += data
        any_frame = False
        for place, profile in enumerate(self._profiles):
            strict, loose = self._strict[place].feed(data), self._loose[place].feed(data)
            # Where clones may end with a checksum of their own, a frame counts without it.
            frames = loose if _need_not_check(profile) else strict
            self._right[place] += len(strict)
            self._loosely[place] += len(loose)
            self._found[place] += frames
            any_frame = any_frame or bool(frames)
        return any_frame

    def frames(self, indicator: str) -> int:
        """How many frames of this profile have come."""
        return next(
            len(found) for profile, found in zip(self._profiles, self._found, strict=True) if profile.name == indicator
        )

    def candidates(self, seconds: float, line: SerialDefaults | None, asked: str | None = None) -> list[Candidate]:
        """Whoever reads frames here, the best first. `asked`: only this profile, whose request was sent."""
        found = [
            self._candidate(place, seconds, line, asked is not None)
            for place, profile in enumerate(self._profiles)
            if self._found[place] and asked in (None, profile.name)
        ]
        return sorted(found, key=lambda each: (-each.share, -each.frames, each.indicator))

    def _candidate(self, place: int, seconds: float, line: SerialDefaults | None, asked: bool) -> Candidate:
        profile, frames = self._profiles[place], self._found[place]
        weights = [frame.weight for frame in frames if frame.weight is not None]
        checked = profile.check is not None
        raw = b"".join(frame.raw for frame in frames)
        framing = framing_of(raw) if profile.frame.clear_parity_bit else Framing(8, "N")
        if line is not None and line.parity == "N":
            line = line.model_copy(update=framing._asdict())
        return Candidate(
            indicator=profile.name,
            title=profile.title,
            line=line,
            asked=asked,
            frames=len(frames),
            share=min(1.0, len(raw) / max(1, len(self.data))),
            per_second=None if asked else round(len(frames) / max(0.1, seconds), 1),
            checksums_right=self._right[place] if checked else None,
            checksums_wrong=max(0, self._loosely[place] - self._right[place]) if checked else None,
            lowest=min(weights, default=None),
            highest=max(weights, default=None),
            units=tuple(sorted({frame.unit or profile.unit for frame in frames})),
            stable=sum(frame.stable is True for frame in frames),
            moving=sum(frame.stable is False for frame in frames),
            out_of_range=sum(frame.overload or frame.underload for frame in frames),
            example=frames[-1].raw[:EXAMPLE_BYTES],
            weights=tuple(frame.weight for frame in frames[-3:]),
        )


def checking(profile: IndicatorProfile, use: ChecksumUse) -> IndicatorProfile:
    """The same profile with another use of its checksum, whatever a site may choose."""
    if profile.check is None:
        return profile
    return profile.model_copy(update={"check": profile.check.model_copy(update={"use": use})})


def _need_not_check(profile: IndicatorProfile) -> bool:
    return profile.check is not None and profile.check.use != "verify"


def framing_of(data: bytes) -> Framing:
    """Data bits and parity of bytes that were read as 8N1: there the parity of seven bits is the top bit."""
    if any(data) and max(data) >= 0x80:
        odd = {byte.bit_count() % 2 for byte in data}
        if len(odd) == 1:
            return Framing(7, "O" if odd.pop() else "E")
    return Framing(8, "N")


def text_share(data: bytes) -> float:
    """How much of these bytes is text with whatever parity fits best, 0 to 1; noise at a wrong baud rate is mostly
    below a half. One and the same byte again and again is how a slow receiver hears a fast line, and no text."""
    if len(set(data)) < 2:
        return 0.0
    text = [byte for byte in data if byte & 0x7F in _TEXT]
    kinds = (
        sum(byte < 0x80 for byte in text),
        sum(byte.bit_count() % 2 == 0 for byte in text),
        sum(byte.bit_count() % 2 == 1 for byte in text),
    )
    return max(kinds) / len(data)


def readable(data: bytes) -> str:
    """Bytes for people: text as it is, the others as <02>."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"<{byte:02X}>" for byte in data)


def judge(candidates: Sequence[Candidate]) -> tuple[Verdict, tuple[Candidate, ...]]:
    """The verdict on candidates, the best first, and those it is about: the winner, or all that are as good as it."""
    if not candidates:
        return Verdict.NO_FRAMES, ()
    best = candidates[0]
    equal = tuple(each for each in candidates if each.share >= AS_GOOD * best.share)
    if best.frames < LEAST_FRAMES or (best.share < LEAST_SHARE and not _checked(best)):
        return Verdict.UNSURE, equal
    return (Verdict.FOUND if len(equal) == 1 else Verdict.AMBIGUOUS), equal


def _checked(candidate: Candidate) -> bool:
    """Checksums prove it whatever else is on the line: a 4G modem puts its own name before every frame."""
    right, wrong = candidate.checksums_right or 0, candidate.checksums_wrong or 0
    return right >= ENOUGH_CHECKSUMS and wrong * 10 <= right


class Said(NamedTuple):
    zh: str
    en: str


_DISPLAY = "eq_plain", "eq_reversed"
_APART = {
    frozenset(_DISPLAY): Said(
        "两者只是字符顺序相反。压一个正反读不同的重量（例如 290 kg，不要 0 或 20002），看仪表显示",
        "they differ only in the order of the characters. Load a weight that is not the same backwards (290 kg, say, "
        "not 0 or 20002) and look at the indicator's display",
    ),
    frozenset({"ad_std", "dini_std"}): Said(
        "两者读数完全相同，只在置零和询问的命令上不同。看铭牌：Dini Argeo 用 dini_std，其他用 ad_std；"
        "或把仪表设为应答方式后再检测",
        "both read these frames alike; they differ in how it is asked and zeroed. Look at the name plate: dini_std for "
        "a Dini Argeo, ad_std for all others; or set it to answer only when asked and run detect again",
    ),
    frozenset({"ad_std", "cas22"}): Said(
        "看铭牌：CAS CI 系列的 22 字节格式用 cas22（它看得懂保持灯），其他用 ad_std",
        "look at the name plate: cas22 for the 22 byte format of a CAS CI (it understands the hold lamp), ad_std for "
        "all others",
    ),
    frozenset({"rinstrum_fmt2", "rlws"}): Said(
        "看仪表菜单里的自动输出格式：Rinstrum 格式 2 还是格式 5（Rice Lake）",
        "look into the indicator's menu: automatic output in format 2, or in format 5 (Rice Lake)",
    ),
}  # fmt: skip
_ANY_PAIR = Said(
    "看仪表铭牌和说明书里的输出格式；再压一个已知重量，比较仪表显示与下面各候选的读数",
    "look at the name plate and the manual's output format; load a known weight and compare the indicator's display "
    "with what each candidate reads",
)


def tell_apart(equal: Sequence[Candidate]) -> list[Said]:
    """What a person can do about candidates that read a line equally well."""
    names = [each.indicator for each in equal]
    pairs = [frozenset({one, other}) for at, one in enumerate(names) for other in names[at + 1 :]]
    advice = list(dict.fromkeys(_APART.get(pair, _ANY_PAIR) for pair in pairs))
    by_display = bool({_APART[frozenset(_DISPLAY)], _ANY_PAIR} & set(advice))
    return [*advice, *(_readings(equal) if by_display else [])]


def _readings(equal: Sequence[Candidate]) -> list[Said]:
    """What the display must show for each of them to be the right one."""
    shown = {each.indicator: next((w for w in reversed(each.weights) if w is not None), None) for each in equal}
    if None in shown.values():
        return []
    if len(set(shown.values())) == 1:
        weight = next(iter(shown.values()))
        return [Said(f"现在都读 {weight}，分不出来", f"now all of them read {weight}, which tells nothing")]
    return [
        Said(f"仪表显示 {weight} 就是 {name}", f"the display shows {weight}: it is {name}")
        for name, weight in shown.items()
    ]


def toml_lines(port: str, found: Sequence[tuple[Candidate, IndicatorProfile]]) -> list[str]:
    """What to paste into the plant's configuration. Where several candidates differ, a comment names what can stand
    there, so that a configuration in which nobody has decided is refused."""
    blocks = [_toml_of(port, candidate, profile) for candidate, profile in found]
    names = dict.fromkeys(name for block in blocks for name in block)
    lines = ["[lane.indicator]"]
    for name in names:
        values = list(dict.fromkeys(block[name] for block in blocks if name in block))
        lines.append(f"{name} = {values[0]}" if len(values) == 1 else f"# {name} = {' or '.join(values)}")
    return lines


def _toml_of(port: str, candidate: Candidate, profile: IndicatorProfile) -> dict[str, str]:
    block = {"type": '"serial"', "port": f'"{port}"', "indicator": f'"{candidate.indicator}"'}
    if line := candidate.line:
        block |= {"baud": str(line.baud), "bytesize": str(line.bytesize), "parity": f'"{line.parity}"'}
        block |= {"stopbits": str(line.stopbits)}
    mode = "poll" if candidate.asked else "stream"
    return block | {"mode": f'"{mode}"'} if profile.mode != mode else block
