"""Learning from a site's crops, in a few steps: weights out of the shipped file, wrong labels, repeatable."""

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is only needed to train (requirements-training.txt)")

from drivers.camera.plates.evaluate import Case, Label, look  # noqa: E402
from drivers.camera.plates.eye import PlateEye  # noqa: E402
from drivers.camera.plates.rectify import HEIGHT, WIDTH  # noqa: E402
from drivers.camera.plates.thresholds import SHIPPED_READER  # noqa: E402
from drivers.camera.plates_training import tune as tuning  # noqa: E402
from drivers.camera.plates_training.export import write  # noqa: E402
from drivers.camera.plates_training.generator import Generator  # noqa: E402
from tests.drivers.camera.plates_training.test_site import label, plates  # noqa: E402


@pytest.fixture(autouse=True)
def few_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "PROBES", 8)


def test_the_shipped_file_is_the_whole_net(tmp_path: Path) -> None:
    """PyTorch answers as cv2.dnn does with the same file, and writes a file that answers as the first."""
    net = tuning.load(SHIPPED_READER).eval()
    probe = np.random.default_rng(5).uniform(-1, 1, (2, 3, HEIGHT, WIDTH)).astype(np.float32)
    write(net, tmp_path / "again.onnx")
    with torch.no_grad():
        wanted = [output.numpy() for output in net(torch.from_numpy(probe))]
    for file in (SHIPPED_READER, tmp_path / "again.onnx"):
        reader = cv2.dnn.readNetFromONNX(str(file))
        reader.setInput(probe, "plate")
        for seen, expected in zip(reader.forward(["characters", "color"]), wanted, strict=True):
            assert np.asarray(seen) == pytest.approx(expected, abs=1e-3)


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"no net" * 100)
    with pytest.raises(tuning.WrongNet, match=r"other\.onnx: no reading net"):
        tuning.load(other)
    half = tmp_path / "half.onnx"
    half.write_bytes(SHIPPED_READER.read_bytes()[:-200_000])
    with pytest.raises(tuning.WrongNet, match=r"half\.onnx: no reading net"):
        tuning.load(half)


def seen(labels: list[Label]) -> list[Case]:
    return [case for case in look(PlateEye(), labels, crop=True) if case.sighting is not None]


def test_a_wrong_label_is_doubted_and_the_right_ones_are_not(tmp_path: Path) -> None:
    right = [label(tmp_path, plate) for plate in plates(19)]
    wrong = label(tmp_path, "晋B12345", shows="粤KH762Z")
    doubted = tuning.tune(SHIPPED_READER, seen([*right, wrong]), tmp_path / "taught.onnx", seed=1, steps=5)
    assert [each for each, _ in doubted] == [wrong]
    taught = PlateEye(model=tmp_path / "taught.onnx")
    assert all(case.exact for case in look(taught, right[:5], crop=True))


def test_one_seed_gives_one_net(tmp_path: Path) -> None:
    cases = seen([label(tmp_path, plate) for plate in plates(4)])
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        tuning.tune(SHIPPED_READER, cases, tmp_path / name, seed=seed, steps=3)
    one, same, other = ((tmp_path / name).read_bytes() for name in ("one", "same", "other"))
    assert one == same != other


def test_a_net_goes_only_as_far_from_the_shipped_one_as_costs_no_drawn_plates() -> None:
    """One that learned nothing goes all the way, which is nowhere; a ruined one a fifth."""
    shipped = tuning.load(SHIPPED_READER)
    same = tuning.unforgetting(shipped, tuning.load(SHIPPED_READER), Generator(7)).state_dict()
    assert all(torch.equal(weight, same[name]) for name, weight in shipped.state_dict().items())
    ruined = tuning.load(SHIPPED_READER)
    with torch.no_grad():
        for weight in ruined.parameters():
            weight.mul_(-1)
    kept = tuning.unforgetting(shipped, ruined, Generator(7)).state_dict()
    name, weight = next(iter(shipped.state_dict().items()))
    assert torch.allclose(kept[name], weight * (1 - 2 * min(tuning.SHARES)))
