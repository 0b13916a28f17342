"""The configuration of a plant with one lane, for commands that only read it."""

from pathlib import Path

from sync.secrets import hash_secret


def plant_file(folder: Path, indicator: str) -> Path:
    """`plant.toml` in a folder; `indicator` is what its block [lane.indicator] says."""
    file = folder / "plant.toml"
    file.write_text(
        f"""
[plant]
code = "HX01"
number = 1
name = "示例一厂"
data = "data"
[keys]
directory = "keys"
[[lane]]
id = "1"
name = "一号磅"
name_en = "Lane 1"
[lane.scale]
division_kg = 20
maximum_kg = 100000
[lane.indicator]
{indicator}
[lane.printer]
type = "simulated"
folder = "paper"
[[person]]
id = "a"
name = "甲"
roles = ["admin"]
pin_hash = "{hash_secret("1234")}"
""",
        encoding="utf-8",
    )
    return file
