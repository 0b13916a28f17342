"""Compared plates are kept within a budget, in a form that can be evaluated, and are gone when somebody erases them."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from drivers.readings import PlateColor, PlateReading
from edge.cli.commands import main
from edge.station.crops import LABELS, CropStore

pytestmark = pytest.mark.anyio
AT = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
READ = PlateReading("浙A12346", PlateColor.YELLOW, 910, rows=2)
EXAMPLE = Path(__file__).resolve().parents[3] / "config" / "plant.example.toml"


async def keep(store: CropStore, number: int, plate: str = "浙A12345", size: int = 1000, at: datetime = AT) -> bool:
    """One more crop."""
    return await store.keep(b"%06d" % number + bytes(size - 6), plate, READ, "gate south", at)


def lines(folder: Path) -> list[dict[str, str]]:
    """labels.csv as the program reads it that measures readers."""
    with (folder / LABELS).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


async def test_a_crop_has_a_line_that_says_what_it_is(tmp_path: Path) -> None:
    store = CropStore(tmp_path / "crops", 1)
    assert await keep(store, 1)
    assert await keep(store, 1), "the same picture again is the same crop"
    (line,) = lines(tmp_path / "crops")
    assert line == {
        "file": line["file"], "plate": "浙A12345", "color": "yellow", "rows": "2", "kind": "crop", "bbox": "",
        "other_plates": "", "source": "gate south 2026-11-23",
    }  # fmt: skip
    assert (tmp_path / "crops" / line["file"]).stat().st_size == 1000
    assert (tmp_path / "crops").stat().st_mode & 0o077 == 0, "for nobody else on this box"


async def test_without_a_crop_or_a_reading_nothing_is_kept(tmp_path: Path) -> None:
    store = CropStore(tmp_path / "crops", 1)
    assert not await store.keep(None, "浙A12345", READ, "gate", AT)
    assert not await store.keep(b"", "浙A12345", READ, "gate", AT)
    assert not await store.keep(b"jpeg", "浙A12345", None, "gate", AT)
    assert store.labels() == [] and not (tmp_path / "crops").exists()


async def test_the_oldest_make_way(tmp_path: Path) -> None:
    """1 MiB holds five of 200 kB."""
    store = CropStore(tmp_path / "crops", 1)
    for number in range(8):
        await keep(store, number, f"浙A0000{number}", 200_000)
    assert [label.plate for label in store.labels()] == [f"浙A0000{number}" for number in range(3, 8)]
    assert store.total_bytes() == 1_000_000
    assert len(list((tmp_path / "crops").glob("*.jpg"))) == 5, "files and lines"


async def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "crops").write_text("not a folder")
    assert not await keep(CropStore(tmp_path / "crops", 1), 1)


async def test_lines_that_lead_elsewhere_are_no_labels(tmp_path: Path) -> None:
    """Somebody wrote into labels.csv: nothing outside the folder is listed, or erased."""
    store = CropStore(tmp_path / "crops", 1)
    await keep(store, 1)
    (tmp_path / "plant.db").write_bytes(b"books")
    with (tmp_path / "crops" / LABELS).open("a", encoding="utf-8") as file:
        file.write("../plant.db,浙A12345,,1,crop,,,x\nnone.jpg,浙A12345,,1,crop,,,x\n")
    assert len(store.labels()) == 1
    assert len(store.erase(lambda label: True)) == 1
    assert (tmp_path / "plant.db").exists() and store.labels() == []


async def test_all_means_also_what_no_line_tells_of(tmp_path: Path) -> None:
    """The program was killed between file and line, or somebody damaged the list."""
    store = CropStore(tmp_path / "crops", 1)
    await keep(store, 1)
    (tmp_path / "crops" / "orphan.jpg").write_bytes(b"jpeg")
    (tmp_path / "crops" / "orphan.part").write_bytes(b"jp")
    assert sorted(each.plate for each in store.erase_all()) == ["", "", "浙A12345"]
    assert store.total_bytes() == 0 and {each.name for each in (tmp_path / "crops").iterdir()} == {LABELS, ".lock"}
    await keep(store, 2)
    (tmp_path / "crops" / LABELS).write_bytes(b"\xff")
    assert len(store.erase_all()) == 1 and store.labels() == [] and store.total_bytes() == 0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A plant's configuration with its data beside it."""
    text = EXAMPLE.read_text("utf-8")
    (tmp_path / "plant.toml").write_text(text, "utf-8")
    return tmp_path / "plant.toml"


def run(*arguments: str | Path) -> tuple[int, list[str]]:
    """The command's exit code and its answer."""
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    return result.exit_code, result.stdout.splitlines()


async def test_list_and_erase(config: Path) -> None:
    from edge.settings import load_settings

    store = CropStore(load_settings(config).crops_folder, 1)
    for number, day in enumerate((21, 22, 23)):
        await keep(store, number, f"浙A0000{number}", at=datetime(2026, 11, day, tzinfo=UTC))
    code, said = run("plate", "crops", "list", config, "--json")
    assert code == 0 and [json.loads(line)["plate"] for line in said] == ["浙A00000", "浙A00001", "浙A00002"]
    assert all(Path(json.loads(line)["path"]).is_file() for line in said)
    assert run("plate", "crops", "erase", config)[0] == 2, "what to erase must be said"
    assert run("plate", "crops", "erase", config, "--all", "--plate", "浙A00001")[0] == 2
    assert run("plate", "crops", "erase", config, "--plate", "苏E6H369") == (1, [])
    code, said = run("plate", "crops", "erase", config, "--plate", "浙a·00001")
    assert code == 0 and said[0].startswith("浙A00001 ")
    code, said = run("plate", "crops", "erase", config, "--before", "2026-11-22", "--json")
    assert code == 0 and [json.loads(line)["plate"] for line in said] == ["浙A00000"]
    assert [label.plate for label in store.labels()] == ["浙A00002"]
    assert run("plate", "crops", "erase", config, "--all")[0] == 0
    assert store.labels() == [] and not list(load_settings(config).crops_folder.glob("*.jpg"))
    assert run("plate", "crops", "list", config) == (0, [])
    (load_settings(config).crops_folder / "orphan.jpg").write_bytes(b"jpeg")
    assert run("plate", "crops", "erase", config, "--all")[0] == 0 and store.total_bytes() == 0
    (load_settings(config).crops_folder / LABELS).write_bytes(b"\xff")
    assert run("plate", "crops", "list", config) == (2, []), "damaged, and says so"
