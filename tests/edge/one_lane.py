"""The configuration of a small plant for tests that run the real program: one lane, one gate, simulated devices."""

from pathlib import Path

from sync.secrets import hash_secret

PIN = "4711"


def write_config(folder: Path, epoch: int, *roles: str) -> Path:
    """`plant.toml` in a folder that has the plant's keys under `keys`; person A01 has the roles, and PIN."""
    config = folder / "plant.toml"
    listed = ", ".join(f'"{role}"' for role in roles)
    config.write_text(
        f"""
[plant]
code = "HX01"
number = 1
epoch = {epoch}
name = "示例一厂"
data = "data"
[keys]
directory = "keys"
[web]
port = 0
[[lane]]
id = "1"
name = "一号磅"
name_en = "Lane 1"
scale = {{ division_kg = 20, maximum_kg = 80000 }}
indicator = {{ type = "simulated" }}
printer = {{ type = "simulated", folder = "{folder}/paper" }}
[[gate]]
id = "south"
name = "南门岗"
name_en = "South gate"
barrier = {{ type = "simulated", rise_ms = 0, pass_ms = 0 }}
[[person]]
id = "A01"
name = "管理员"
roles = [{listed}]
pin_hash = "{hash_secret(PIN)}"
""",
        encoding="utf-8",
    )
    return config
