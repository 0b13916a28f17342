"""`weighgate plate tune|models|rollback` at a terminal. What needs PyTorch runs only where it is."""

import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from drivers.camera.plates.installed import SHIPPED_NAME, Models
from drivers.camera.plates.thresholds import SHIPPED_READER
from edge.cli.commands import main
from tests.drivers.camera.plates.test_installed import net
from tests.drivers.camera.plates_training.test_site import label, plates
from tests.edge.one_lane import write_config

TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not TORCH, reason="PyTorch is only needed to train (requirements-training.txt)")


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """A plant's configuration; its data lies beside it."""
    return write_config(tmp_path, 1, "admin")


def run(command: str, plant: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["plate", command, str(plant), *arguments])


def keep(plant: Path, count: int) -> None:
    """So many plates in data/crops, as the plant keeps them."""
    folder = plant.parent / "data" / "crops"
    folder.mkdir(parents=True)
    lines = [f"{label(folder, plate).file.name},{plate},blue,1,crop" for plate in plates(count)]
    (folder / "labels.csv").write_text("\n".join(["file,plate,color,rows,kind", *lines]) + "\n", "utf-8")


def test_models_lists_and_rollback_goes_back(plant: Path, tmp_path: Path) -> None:
    models = Models(tmp_path / "data" / "plate-models")
    first, second = (models.install(net(tmp_path, number), {}) for number in (1, 2))
    assert run("models", plant).stdout.splitlines()[0] == "  shipped  as installed with weighgate"
    told = [json.loads(line) for line in run("models", plant, "--json").stdout.splitlines()]
    assert {each["name"]: each["current"] for each in told} == {SHIPPED_NAME: False, first: False, second: True}
    back = run("rollback", plant)
    assert (back.exit_code, back.stdout.split(";")[0]) == (0, f"{second} -> {first}")
    assert models.choose().name == first
    assert run("rollback", plant).stdout.startswith(f"{first} -> shipped; ")
    none = run("rollback", plant)
    assert (none.exit_code, none.stderr) == (1, "the shipped net is in use; there is none before it\n")


def test_a_damaged_net_is_told_and_the_shipped_one_is_marked(plant: Path, tmp_path: Path) -> None:
    models = Models(tmp_path / "data" / "plate-models")
    name = models.install(net(tmp_path, 1), {})
    models.choose().model.write_bytes(SHIPPED_READER.read_bytes())
    told = run("models", plant)
    assert told.exit_code == 1
    shipped, broken = told.stdout.splitlines()
    assert shipped.startswith("* shipped")
    assert broken.startswith(f"  {name}  ") and "damaged or foreign" in broken
    assert "weighgate plate rollback" in told.stderr


@pytest.mark.skipif(TORCH, reason="PyTorch is here")
def test_without_pytorch_one_line_says_what_to_install(plant: Path) -> None:
    told = run("tune", plant)
    assert told.exit_code == 2
    assert told.stderr.splitlines() == [
        "torch is not installed; in a checkout: pip install -e '.[training]' (the trainer is not in the wheel)"
    ]


@needs_torch
def test_too_few_plates_are_a_no_with_their_number(plant: Path) -> None:
    none = run("tune", plant)
    assert (none.exit_code, "no plate has been kept; set keep_crops = true" in none.stderr) == (1, True)
    keep(plant, 8)
    few = run("tune", plant)
    assert few.exit_code == 1
    assert "too few to learn from: 8 different plates" in few.stderr


@needs_torch
def test_a_net_that_is_no_worse_is_installed_and_a_worse_one_is_not(
    plant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten steps at a tiny rate change next to nothing; at one that ruins the net they are the control."""
    from drivers.camera.plates_training import site, tune

    monkeypatch.setattr(site.compare, "__defaults__", (60,))
    monkeypatch.setattr(tune, "PROBES", 8)
    monkeypatch.setattr(tune, "PEAK_RATE", 1e-6)
    keep(plant, 56)
    models = Models(tmp_path / "data" / "plate-models")
    done = run("tune", plant, "--steps", "10", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["objections"] == []
    assert models.choose().name == told["installed"] != SHIPPED_NAME
    (only,) = models.installed()
    assert (only.card["seed"], only.card["steps"], only.card["before"]) == (1, 10, SHIPPED_NAME)
    assert only.card["exam_after"]["exact"] >= only.card["exam_before"]["exact"]
    monkeypatch.setattr(tune, "PEAK_RATE", 0.05)
    monkeypatch.setattr(tune, "SHARES", (1.0,))  # nothing holds it back
    worse = run("tune", plant, "--steps", "10")
    assert worse.exit_code == 1
    assert worse.stderr.startswith("not installed: ")
    assert "forgets other provinces: drawn plates exact" in worse.stderr
    assert [each.name for each in models.installed()] == [told["installed"]]
