"""Is one of the expected plates the one that was seen? Three answers: confirmed, ask a person, no plate.

Not what the plate says is asked, but which expected plate explains best what was seen. The attack is a cloned plate one
character off: so an expected plate must also hold out against every plate that nobody expects, the best reading first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from drivers.camera.plates.alphabet import canonical, is_plate
from drivers.camera.plates.found import Corners
from drivers.camera.plates.likelihood import Line, mean_log_likelihoods, one_off
from drivers.camera.plates.thresholds import Thresholds, shipped
from drivers.readings import Nearness, PlateAnswer, PlateMatch, PlateReading

ABOUT_AS_WIDE = 0.5
"""As wide as the first plate, or a plate twice as far away: the next lorry in the queue is farther."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One plate in one picture: what it says by itself, and the lines of the net, one for each crop of it."""

    plate: PlateReading
    lines: tuple[Line, ...]
    corners: Corners


@dataclass(frozen=True, slots=True)
class Standing:
    """How the likeliest expected plate stands, in nat: ahead (behind, if below 0) of every plate that nobody expects,
    and ahead of the other expected plates (infinite when there is no other). One that is less likely than all other
    texts together is behind, too."""

    plate: str
    ahead: float
    lead: float


class Likelihoods:
    """Log-likelihoods of texts under several pictures of one truck: the mean over the pictures' means.

    The mean and not the sum: pictures of one truck err alike (the same mud, the same light), so ten of them are not ten
    witnesses, and thresholds found on single pictures hold for any number.
    """

    def __init__(self, frames: Sequence[Sequence[Line]]) -> None:
        self._frames = frames
        self._known: dict[str, float] = {}

    def of(self, texts: Iterable[str]) -> dict[str, float]:
        """Of each text."""
        wanted = list(dict.fromkeys(texts))
        if new := [text for text in wanted if text not in self._known]:
            scores = np.mean([mean_log_likelihoods(lines, new) for lines in self._frames], axis=0)
            self._known.update(zip(new, scores.tolist(), strict=True))
        return {text: self._known[text] for text in wanted}

    def best(self, texts: Iterable[str]) -> str:
        """The likeliest plate among these texts and all that differ from the likeliest of them in one character."""
        scores = self.of(texts)
        first = max(scores, key=lambda text: scores[text])
        around = self.of([first, *(text for text in one_off(first) if is_plate(text))])
        return max(around, key=lambda text: around[text])


def match(
    frames: Sequence[Sighting],
    expected: Sequence[str],
    thresholds: Thresholds | None = None,
    *,
    beside: Sequence[PlateReading] = (),
) -> PlateMatch:
    """What the sightings of one truck, one from each picture that has one, say about the expected plates.

    Nothing is confirmed when the pictures do not read alike, for they may be of two trucks, or when another plate was
    seen `beside` this one, for it may be held up on paper.
    """
    if not frames:
        return PlateMatch(PlateAnswer.NO_PLATE, None, (), None, 0)
    limits = thresholds or shipped()
    likelihoods = Likelihoods([frame.lines for frame in frames])
    said = {canonical(plate): plate for plate in reversed(expected)}
    free = likelihoods.best(frame.plate.text for frame in frames)
    seen = next((frame.plate for frame in reversed(frames) if frame.plate.text == free), frames[-1].plate)
    reading = describe(likelihoods, free, seen)
    standing = stand(likelihoods, list(said), free)
    if standing is None:
        return PlateMatch(PlateAnswer.ASK, None, (), reading, len(frames), tuple(beside))
    scores = likelihoods.of([*said, free])
    best = max(scores.values())
    nearest = sorted(said, key=lambda text: -scores[text])[:2]
    one_plate = not beside and all(frame.plate.text == free for frame in frames)
    sure = one_plate and standing.ahead >= -limits.margin and standing.lead >= limits.lead
    return PlateMatch(
        PlateAnswer.CONFIRMED if sure else PlateAnswer.ASK,
        said[standing.plate] if sure else None,
        tuple(Nearness(said[text], round((best - scores[text]) * 1000)) for text in nearest),
        reading,
        len(frames),
        tuple(beside),
    )


def plates_beside(sightings: Sequence[Sighting]) -> tuple[PlateReading, ...]:
    """The other clear plates of a picture, of about the first one's size or larger. The same plate painted on the
    tailboard is not another one."""
    if not sightings:
        return ()
    first, *others = sightings
    return tuple(
        other.plate
        for other in others
        if other.plate.clear
        and _width(other.corners) >= ABOUT_AS_WIDE * _width(first.corners)
        and not _nearly(other.plate.text, first.plate.text)
    )


def _width(corners: Corners) -> float:
    return float(np.linalg.norm(corners[1] - corners[0]))


def _nearly(one: str, other: str) -> bool:
    """One misread character is no other plate."""
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) <= 1


def stand(likelihoods: Likelihoods, expected: Sequence[str], free: str) -> Standing | None:
    """How the likeliest of the expected plates (canonical) stands; None when nobody is expected."""
    if not expected:
        return None
    scores = likelihoods.of(expected)
    first, *others = sorted(scores, key=lambda text: -scores[text])
    rivals = likelihoods.of(text for text in [free, *one_off(first)] if text not in scores)
    ahead = scores[first] - max(rivals.values(), default=-np.inf)
    rest = np.log(max(1 - np.exp(scores[first]), 1e-300))
    if scores[first] < rest:
        ahead = min(ahead, scores[first] - rest)
    lead = scores[first] - max((scores[text] for text in others), default=-np.inf)
    return Standing(first, float(ahead), float(lead))


def describe(likelihoods: Likelihoods, text: str, seen: PlateReading) -> PlateReading:
    """The reading `text` with how sure it is: the plate's confidence is its probability among all texts, a character's
    the one among all characters in its place. Colour, rows and box are those of `seen`."""
    others = one_off(text)
    chances = {other: np.exp(score) for other, score in likelihoods.of([text, *others]).items()}
    own = chances[text]
    places = [0.0] * len(text)
    for other in others:
        at = next(at for at, (a, b) in enumerate(zip(text, other, strict=True)) if a != b)
        places[at] += chances[other]
    return PlateReading(
        text,
        seen.color,
        min(999, round(1000 * float(own))),  # nobody is told 100 %: a reading is never certain
        seen.rows,
        seen.box,
        tuple(round(1000 * float(own / (own + rest))) for rest in places),
    )
