"""Nets taught at a site, side by side: which one reads, going back, and files that must not be used."""

import json
from pathlib import Path

import pytest

from drivers.camera.plates.installed import SHIPPED_NAME, BadModel, Chosen, Models
from drivers.camera.plates.thresholds import SHIPPED_READER

SHIPPED = Chosen(SHIPPED_NAME, SHIPPED_READER)


def net(folder: Path, number: int) -> Path:
    """A net of its own: the shipped one with an unknown field at its end (1000): protobuf passes over it."""
    path = folder / f"net{number}.onnx"
    path.write_bytes(SHIPPED_READER.read_bytes() + b"\xc0\x3e" + bytes([number]))
    return path


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(tmp_path / "plate-models")


def test_without_the_folder_the_shipped_one_reads(models: Models) -> None:
    assert models.choose() == SHIPPED
    assert models.installed() == []
    assert models.roll_back() is None


def test_what_is_installed_reads_and_is_listed_with_its_card(models: Models, tmp_path: Path) -> None:
    first = models.install(net(tmp_path, 1), {"made": "2026-11-24T02:00:00+00:00", "seed": 7})
    second = models.install(net(tmp_path, 2), {"made": "2026-11-25T02:00:00+00:00", "seed": 8})
    assert models.choose() == Chosen(second, tmp_path / "plate-models" / second / "reader.onnx")
    assert [(each.name, each.card["seed"], each.trouble) for each in models.installed()] == [
        (first, 7, ""), (second, 8, ""),
    ]  # fmt: skip
    assert models.choose().model.read_bytes() == net(tmp_path, 2).read_bytes()


def test_going_back_ends_at_the_shipped_one(models: Models, tmp_path: Path) -> None:
    first, second, third = (models.install(net(tmp_path, number), {}) for number in (1, 2, 3))
    assert models.roll_back() == second
    fourth = models.install(net(tmp_path, 4), {})
    assert models.roll_back() == second
    assert models.install(net(tmp_path, 3), {}) == third  # made a second time
    assert models.roll_back() == second
    assert models.roll_back() == first
    assert models.roll_back() == SHIPPED_NAME
    assert models.choose() == SHIPPED
    assert models.roll_back() is None
    assert {each.name for each in models.installed()} == {first, second, third, fourth}


def test_the_one_in_use_may_be_installed_again(models: Models, tmp_path: Path) -> None:
    only = models.install(net(tmp_path, 1), {})
    assert models.install(net(tmp_path, 1), {}) == only
    (models.choose().model.parent / "card.json").write_text("{", "utf-8")
    assert models.install(net(tmp_path, 1), {}) == only
    assert models.roll_back() == SHIPPED_NAME


@pytest.mark.parametrize("harm", ["one bit", "cut short", "gone", "no card", "other characters", "foreign", "no name"])
def test_what_must_not_be_used_is_told_and_the_shipped_one_reads(models: Models, tmp_path: Path, harm: str) -> None:
    first, name = (models.install(net(tmp_path, number), {}) for number in (1, 2))
    model = models.choose().model
    card = model.parent / "card.json"
    match harm:
        case "one bit":
            data = bytearray(model.read_bytes())
            data[len(data) // 2] ^= 1
            model.write_bytes(data)
        case "cut short":
            model.write_bytes(model.read_bytes()[:-1000])
        case "gone":
            model.unlink()
        case "no card":
            card.unlink()
        case "other characters":
            card.write_text(json.dumps({**json.loads(card.read_text("utf-8")), "characters": "京津冀"}), "utf-8")
        case "foreign":
            model.write_bytes(net(tmp_path, 9).read_bytes())
        case "no name":
            (tmp_path / "plate-models" / "current").write_text("../../etc\n", "utf-8")
    chosen = models.choose()
    assert (chosen.name, chosen.model) == (SHIPPED_NAME, SHIPPED_READER)
    assert str(tmp_path / "plate-models") in chosen.trouble
    assert chosen.trouble.endswith("try `weighgate plate rollback`, or `weighgate plate tune` anew")
    if harm != "no name":
        assert [bool(each.trouble) for each in models.installed() if each.name == name] == [True]
    # Where the card is lost with what was before, the way back leads to the shipped one.
    assert models.roll_back() == (SHIPPED_NAME if harm in ("no card", "no name") else first)
    assert models.choose().trouble == ""


def test_going_back_passes_over_a_damaged_one(models: Models, tmp_path: Path) -> None:
    first, second, _ = (models.install(net(tmp_path, number), {}) for number in (1, 2, 3))
    (tmp_path / "plate-models" / second / "reader.onnx").write_bytes(b"")
    assert models.roll_back() == first


def test_a_file_that_reads_no_plates_is_not_installed(models: Models, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"something else" * 100)
    kept = models.install(net(tmp_path, 1), {})
    with pytest.raises(BadModel, match="not a net that can be read"):
        models.install(other, {})
    assert models.current == kept
    assert [each.name for each in models.installed()] == [kept]
