"""A bad line: what an indicator sends for a load, and what of it arrives.

Every damage is one or more of: flipped bits, bytes lost, bytes gained, digits that changed places, a digit that became
another, a burst over several bytes, a piece sent twice, the end of a frame and the beginning of the next lost together.
"""

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from drivers.scale.encoders import Encoder, Shown

DIVISION_KG = 20
FRAMES_OF_A_LOAD = 40
SHARES = (0.05, 0.3, 1.0)
"""How much of what is sent is damaged: a bad line, a very bad one, and one where nothing arrives whole."""
LONGEST_BURST = 4
"""So many frames in a row suffer the very same damage, one less than the equal ones that make a weight. Damage that
repeats longer is a broken or a forged indicator, and no noise."""

_DIGITS = b"0123456789"


class Sent(NamedTuple):
    """One frame's worth of line: what the indicator showed (None between two loads), what arrived, was it damaged."""

    kg: int | None
    data: bytes
    damaged: bool


class Noise:
    """Damages frames at random; the same seed damages in the same way."""

    def __init__(self, chance: random.Random, *, again: bool = True) -> None:
        """Without `again` nothing is sent twice: one damaged frame is one frame at most."""
        self._chance = chance
        self._behead = 0
        self._ops: tuple[Callable[[bytearray, int], None], ...] = (
            self._flip, self._lose, self._gain, self._swap, self._other_digit, self._burst, self._tear, self._again,
        )[:None if again else -1]  # fmt: skip

    def damage(self, frame: bytes) -> bytes:
        """The frame with one to three damages, never as it was."""
        chance = self._chance.random
        data, self._behead = bytearray(frame[self._behead :]), 0
        while data == frame or chance() < 0.3:
            if not data:
                break
            self._ops[int(chance() * len(self._ops))](data, int(chance() * len(data)))
        return bytes(data)

    def _flip(self, data: bytearray, at: int) -> None:
        data[at] ^= 1 << int(self._chance.random() * 8)

    def _lose(self, data: bytearray, at: int) -> None:
        del data[at : at + 1 + int(self._chance.random() * 2)]

    def _gain(self, data: bytearray, at: int) -> None:
        data.insert(at, data[int(self._chance.random() * len(data))] if self._chance.random() < 0.5 else self._byte())

    def _swap(self, data: bytearray, _: int) -> None:
        digits = [at for at, byte in enumerate(data) if byte in _DIGITS]
        if len(digits) > 1:
            first = int(self._chance.random() * (len(digits) - 1))
            a, b = digits[first], digits[first + 1]
            data[a], data[b] = data[b], data[a]

    def _other_digit(self, data: bytearray, _: int) -> None:
        digits = [at for at, byte in enumerate(data) if byte in _DIGITS]
        if digits:
            data[digits[int(self._chance.random() * len(digits))]] = 48 + int(self._chance.random() * 10)

    def _burst(self, data: bytearray, at: int) -> None:
        for place in range(at, min(len(data), at + 2 + int(self._chance.random() * 5))):
            data[place] ^= self._byte()

    def _again(self, data: bytearray, at: int) -> None:
        end = at + 1 + int(self._chance.random() * len(data))
        data[at:at] = data[at:end]

    def _tear(self, data: bytearray, at: int) -> None:
        del data[at:]
        self._behead = int(self._chance.random() * 6)

    def _byte(self) -> int:
        return int(self._chance.random() * 256)


def bad_line(encode: Encoder, count: int, chance: random.Random) -> Iterator[Sent]:
    """Loads one after the other until `count` frames were damaged; before each load a moment without frames.

    Four loads of five stand still, the fifth drives on: no two of its frames show the same.
    """
    noise, damaged = Noise(chance), 0
    while damaged < count:
        first_kg = chance.randrange(2_000, 90_000, DIVISION_KG)
        step_kg = 0 if chance.random() < 0.8 else chance.randrange(3, 10) * DIVISION_KG
        moving = step_kg > 0
        frames = [encode(Shown(first_kg + step_kg * number, moving=moving)) for number in range(FRAMES_OF_A_LOAD)]
        loads = _bursts if chance.random() < 0.2 else _scattered
        yield Sent(None, b"", damaged=False)
        for number, (data, hurt) in enumerate(loads(frames, noise, chance)):
            damaged += hurt
            yield Sent(first_kg + step_kg * number, data, hurt)


def _scattered(frames: list[bytes], noise: Noise, chance: random.Random) -> Iterator[tuple[bytes, bool]]:
    share = chance.choice(SHARES)
    for frame in frames:
        hurt = chance.random() < share
        yield noise.damage(frame) if hurt else frame, hurt


def _bursts(frames: list[bytes], noise: Noise, chance: random.Random) -> Iterator[tuple[bytes, bool]]:
    """The same damage in up to `LONGEST_BURST` frames, then one that is whole."""
    waiting = list(reversed(frames))
    while waiting:
        state = chance.getrandbits(64)
        for _ in range(chance.randint(1, LONGEST_BURST)):
            if waiting:
                yield Noise(random.Random(state), again=False).damage(waiting.pop()), True
        for _ in range(chance.randint(1, 3)):
            if waiting:
                yield waiting.pop(), False
