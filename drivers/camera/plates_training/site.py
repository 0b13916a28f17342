"""What a site's own crops can teach, and whether a net that learned from them is better. No PyTorch in here.

The plates are parted by the SHA-256 of their text (`Label.half`): a net learns from half a and is measured on half b,
so no truck is in both, this time and every time after.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers.camera.plates.alphabet import canonical, is_plate
from drivers.camera.plates.evaluate import Case, Label, look
from drivers.camera.plates.eye import PlateEye
from drivers.camera.plates.found import Image
from drivers.camera.plates.images import NotAnImage, read_image
from drivers.camera.plates.likelihood import best_plate, one_off
from drivers.camera.plates.match import Likelihoods, stand
from drivers.camera.plates.read import Reader
from drivers.camera.plates.thresholds import shipped
from drivers.camera.plates_training.generator import Generator
from drivers.camera.plates_training.texts import Plate

FEWEST_PLATES = 50
"""Different plates, both halves together. With fewer the measured half says nothing."""
ABSURD_NAT = 25.0
"""A crop whose label is so far behind what is read is not learned from: several characters differ and none is in doubt.
A net new to a site errs by one or two characters, a province above all."""
DOUBT_NAT = 6.0
"""So far behind what a net reads that has learned from the site, or two nets agree on, a label is taken for somebody's
mistake: nothing is learned from it any more, and nothing is measured by it."""
DRAWN = 31 * 64
"""Drawn plates of the check for forgetting, of every province."""
DRAWN_SEED = 2_036
"""Never that of a training run: these plates are in none of them."""
MOST_FORGOTTEN = 0.01
"""Of the drawn plates, more may not be read worse."""


class TooFew(Exception):
    """Not enough different plates to learn from and to measure on."""


@dataclass(frozen=True, slots=True)
class Crops:
    """The two halves as the net in use sees them, and what was left out and why."""

    learn: list[Case]
    check: list[Case]
    left_out: list[tuple[Label, str]]

    @property
    def plates(self) -> tuple[int, int]:
        """Different plates to learn from, and to measure on."""
        return len(_plates(self.learn)), len(_plates(self.check))


def _plates(cases: Iterable[Case]) -> set[str]:
    return {case.label.plate for case in cases}


def study(eye: PlateEye, labels: Sequence[Label], fewest: int = FEWEST_PLATES) -> Crops:
    """Look at every crop with the net in use. TooFew with the count."""
    crops = Crops([], [], [])
    for case in look(eye, labels, crop=True):
        if case.trouble:
            crops.left_out.append((case.label, "unreadable"))
        elif not is_plate(case.label.plate):
            crops.left_out.append((case.label, "no plate has this text"))
        elif case.label.half == "b":
            crops.check.append(case)
        elif case.sighting is None:
            crops.left_out.append((case.label, "nothing seen"))
        elif behind(case) > ABSURD_NAT:
            crops.left_out.append((case.label, f"reads {case.text}"))
        else:
            crops.learn.append(case)
    if sum(crops.plates) < fewest or not min(crops.plates):
        learn, check = crops.plates
        raise TooFew(f"{learn + check} different plates ({learn} to learn from, {check} to check); wants {fewest}")
    return crops


def behind(case: Case) -> float:
    """How far the label is behind what is read, in nat; infinite where nothing was seen."""
    if case.sighting is None:
        return float("inf")
    scores = Likelihoods([case.sighting.lines]).of([case.text, case.label.plate])
    return scores[case.text] - scores[case.label.plate]


def picture_of(case: Case) -> Image:
    """The crop itself. ValueError if it has become unreadable since it was looked at."""
    try:
        return read_image(case.label.file)
    except NotAnImage as error:
        raise ValueError(str(error)) from None


def look_again(crops: Crops, model: Path) -> list[Case]:
    """The crops to check as another net sees them."""
    return list(look(PlateEye(model=model), [case.label for case in crops.check], crop=True))


def doubtful(before: Sequence[Case], after: Sequence[Case]) -> list[tuple[Label, str]]:
    """Crops of which both nets surely read the same other text: their label is doubted, not the nets."""
    return [
        (one.label, f"reads {one.text}")
        for one, other in zip(before, after, strict=True)
        if one.text == other.text != one.label.plate and one.text and min(behind(one), behind(other)) > DOUBT_NAT
    ]


@dataclass(frozen=True, slots=True)
class Exam:
    """What a net can do: shares 0..1 on the site's crops it did not see and on drawn plates of every province.

    `confirmed` are right plates at the shipped margin; `clones_confirmed` is how many of `clones`, the plates one
    character off, are confirmed.
    """

    crops: int
    exact: float
    confirmed: float
    clones_confirmed: int
    clones: int
    drawn: int
    drawn_exact: float


def examine(cases: Sequence[Case], drawn: Sequence[tuple[Plate, Image]], model: Path) -> Exam:
    """Measure the net that saw these cases."""
    stands = [_against_clones(case) for case in cases]
    reader = Reader(model)
    right = sum(best_plate(reader.read(line).line) == canonical(plate.text) for plate, line in drawn)
    return Exam(
        len(cases),
        sum(case.exact for case in cases) / max(len(cases), 1),
        sum(own for own, _, _ in stands) / max(len(cases), 1),
        sum(accepted for _, accepted, _ in stands),
        sum(clones for _, _, clones in stands),
        len(drawn),
        right / max(len(drawn), 1),
    )


def compare(
    before: Sequence[Case],
    after: Sequence[Case],
    left_out: Iterable[tuple[Label, str]],
    models: tuple[Path, Path],
    drawn: int = DRAWN,
) -> tuple[Exam, Exam]:
    """Two nets on the same crops, less those left out, and on the same drawn plates."""
    out = {label.file for label, _ in left_out}
    shown = drawn_plates(drawn)
    one, other = (
        examine([case for case in cases if case.label.file not in out], shown, model)
        for cases, model in zip((before, after), models, strict=True)
    )
    return one, other


def _against_clones(case: Case) -> tuple[bool, int, int]:
    """Is the right plate confirmed when only it is expected; how many of its clones when only they are, of how many."""
    clones = one_off(case.label.plate)
    if case.sighting is None:
        return False, 0, len(clones)
    margin = shipped().margin
    likelihoods = Likelihoods([case.sighting.lines])
    free = likelihoods.best([case.text])
    scores = likelihoods.of([free, *clones])
    near = [clone for clone in clones if scores[clone] >= scores[free] - max(margin, 0.0)]

    def confirmed(text: str) -> bool:
        standing = stand(likelihoods, [text], free)
        return standing is not None and standing.ahead >= -margin

    return confirmed(case.label.plate), sum(map(confirmed, near)), len(clones)


def drawn_plates(count: int) -> list[tuple[Plate, Image]]:
    """The same at every run: texts and lines."""
    generator = Generator(DRAWN_SEED)
    return [(sample.plate, sample.line) for sample in (generator.sample() for _ in range(count))]


def objections(before: Exam, after: Exam) -> Iterator[str]:
    """Why the second net must not take the place of the first; nothing when it may."""
    if after.exact < before.exact:
        yield (f"reads the site's unseen crops worse: exact {before.exact:.1%} -> {after.exact:.1%} of {after.crops}")
    if after.drawn_exact < before.drawn_exact - MOST_FORGOTTEN:
        yield (
            f"forgets other provinces: drawn plates exact {before.drawn_exact:.1%} -> {after.drawn_exact:.1%} of "
            f"{after.drawn}, more than {100 * MOST_FORGOTTEN:.0f} point"
        )
    if after.clones_confirmed > before.clones_confirmed:
        yield (
            f"lets more clones pass: of {after.clones} plates one character off, confirmed "
            f"{before.clones_confirmed} -> {after.clones_confirmed}"
        )
