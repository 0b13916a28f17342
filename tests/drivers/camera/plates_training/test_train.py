"""The net's shapes, its losses and the export; all of it needs PyTorch."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is only needed to train (requirements-training.txt)")

from drivers.camera.plates.alphabet import CHARACTERS  # noqa: E402
from drivers.camera.plates_training import export as exporting  # noqa: E402
from drivers.camera.plates_training import train as training  # noqa: E402
from drivers.camera.plates_training.batches import make_batch  # noqa: E402
from drivers.camera.plates_training.generator import Generator  # noqa: E402
from drivers.camera.plates_training.net import PlateNet  # noqa: E402
from drivers.camera.plates_training.train_color import train_color  # noqa: E402


def test_shapes() -> None:
    characters, colors = PlateNet(len(CHARACTERS)).eval()(torch.zeros(2, 3, 32, 128))
    assert characters.shape == (2, len(CHARACTERS), 32)
    assert colors.shape == (2, 5)


def test_both_losses_fall_when_the_answer_is_right() -> None:
    batch = make_batch(Generator(1), 4, 0.35)
    right = torch.full((4, len(CHARACTERS), 32), -4.0)
    for sample in range(4):
        right[sample, batch.columns[sample], np.arange(32)] = 4.0
    colors = torch.zeros(4, 5)
    for by_position in (True, False):
        blind = training.loss_of(torch.zeros_like(right), colors, batch, by_position)
        seen = training.loss_of(right, colors, batch, by_position)
        assert seen < blind / 2


def test_a_few_steps_learn(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run = training.Training(1, tmp_path, tmp_path)
    batch = make_batch(Generator(1), 16, 0.35)
    run.learn(batch, 0.0)
    first = run.loss
    for _ in range(12):
        run.learn(batch, 0.0)
    assert run.loss < first
    run.report(0.1)
    again = training.Training(2, tmp_path, tmp_path)
    again.resume()
    assert again.step == 13


def test_export_answers_as_the_net_does(tmp_path: Path) -> None:
    torch.manual_seed(3)
    net = PlateNet(len(CHARACTERS))
    torch.save(net.state_dict(), tmp_path / "w.pt")
    assert exporting.export(tmp_path / "w.pt", tmp_path / "reader.onnx") < exporting.MOST_DIFFERENCE
    assert 100_000 < (tmp_path / "reader.onnx").stat().st_size < exporting.MOST_BYTES
    assert not (tmp_path / "reader.new").exists()


def test_an_export_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(PlateNet(len(CHARACTERS)).state_dict(), tmp_path / "w.pt")
    (tmp_path / "reader.onnx").write_bytes(b"old")
    monkeypatch.setattr(exporting, "MOST_BYTES", 1000)
    with pytest.raises(exporting.ExportRefused):
        exporting.export(tmp_path / "w.pt", tmp_path / "reader.onnx")
    assert (tmp_path / "reader.onnx").read_bytes() == b"old"


def test_colours_are_learnt_apart_from_reading() -> None:
    net = PlateNet(len(CHARACTERS))
    before = {name: weight.clone() for name, weight in net.state_dict().items() if not name.startswith("painter")}
    assert train_color(net, seed=1, steps=40) > 0.4, "chance is 0.28"
    after = net.state_dict()
    assert all(torch.equal(weight, after[name]) for name, weight in before.items())
