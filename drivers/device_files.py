"""Devices told as data, one file a family: `config/indicators/*.toml` and `config/registers/*.toml`."""

import sysconfig
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class Data(BaseModel):
    """A part of such a file: nothing unknown in it, and it stays as it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DeviceFile(Data):
    """What every file says first: its own name, what it is, its manual, and what that leaves open."""

    name: str
    title: str
    manual: str
    certain: str
    uncertain: str


D = TypeVar("D", bound=DeviceFile)


def device_folder(name: str) -> Path:
    """`config/<name>` of the checkout, or of the installed package's data."""
    checkout = Path(__file__).resolve().parents[1] / "config" / name
    if checkout.is_dir():
        return checkout
    return Path(sysconfig.get_path("data")) / "share" / "weighgate" / name


def load_device(model: type[D], what: str, name: str, folder: Path, names: Sequence[str]) -> D:
    """Read `<folder>/<name>.toml`. Raises ValueError in words: none of `names` (with these), or a fault in the file."""
    if name not in names:
        raise ValueError(f"unknown {what} {name!r}; valid: {', '.join(names) or f'none, {folder} is empty'}")
    path = folder / f"{name}.toml"
    try:
        found = model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ValueError(f"{path}: {error}") from error
    if found.name != name:
        raise ValueError(f"{path}: name is {found.name!r}, the file says {name!r}")
    return found
