"""The reading nets taught at this site, side by side in one folder, and which of them is in use.

    plate-models/3f2a…/reader.onnx   named by the first 16 digits of its SHA-256
    plate-models/3f2a…/card.json     where it comes from and what it can do
    plate-models/current             the name of the one in use; no such file: the shipped one

A net is used only if its file is the very one that was measured when it was installed. Anything else is trouble to be
told, and the shipped net reads instead: no truck is confirmed by a net that nobody measured.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.camera.plates.alphabet import CHARACTERS
from drivers.camera.plates.thresholds import SHIPPED_READER

SHIPPED_NAME = "shipped"
_CURRENT = "current"
_MODEL, _CARD = "reader.onnx", "card.json"
_NAME = re.compile(r"[0-9a-f]{16}")
_ALPHABET = "".join(CHARACTERS)


class BadModel(Exception):
    """An installed net that must not be used: which, what is wrong, what to try."""

    def __init__(self, where: Path, what: str) -> None:
        super().__init__(f"{where}: {what}; try `weighgate plate rollback`, or `weighgate plate tune` anew")


@dataclass(frozen=True, slots=True)
class Installed:
    """One net of the folder. `card` is empty and `trouble` says why where it must not be used."""

    name: str
    model: Path
    card: Mapping[str, Any]
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The net to read with. With `trouble` it is the shipped one in the place of one that must not be used."""

    name: str
    model: Path
    trouble: str = ""


class Models:
    """The folder. Nothing in it needs to exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def current(self) -> str:
        """The name in the pointer, whatever it is worth; `SHIPPED_NAME` where there is none."""
        try:
            return (self._folder / _CURRENT).read_text("utf-8").strip() or SHIPPED_NAME
        except FileNotFoundError:
            return SHIPPED_NAME
        except (OSError, UnicodeDecodeError):
            return "?"

    def installed(self) -> list[Installed]:
        """All nets of the folder, the oldest first; those that must not be used too."""
        if not self._folder.is_dir():
            return []
        found = []
        for name in sorted(path.name for path in self._folder.iterdir() if _NAME.fullmatch(path.name)):
            try:
                found.append(Installed(name, self._model(name), self._proven(name)))
            except BadModel as error:
                found.append(Installed(name, self._model(name), {}, str(error)))
        return sorted(found, key=lambda each: str(each.card.get("made", "")))

    def choose(self) -> Chosen:
        """What the plant reads with. Never raises: whatever is wrong is told in `trouble`."""
        name = self.current
        try:
            self.check(name)
        except BadModel as error:
            return Chosen(SHIPPED_NAME, SHIPPED_READER, str(error))
        return Chosen(name, self._model(name))

    def check(self, name: str) -> None:
        """BadModel unless this net is as it was measured, and reads with the characters of this version."""
        if name != SHIPPED_NAME:
            self._proven(name)
            _reads(self._model(name))

    def install(self, model: Path, card: Mapping[str, Any]) -> str:
        """Copy the net and its card into the folder and point to it; its name. OSError; BadModel when it is no net."""
        _reads(model)
        data = model.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        name = digest[:16]
        told = {"sha256": digest, "characters": _ALPHABET, "before": self._before(name), **card}
        partial = self._folder / f"{name}.part"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write(partial / _MODEL, data)
        _write(partial / _CARD, json.dumps(told, ensure_ascii=False, indent=1).encode() + b"\n")
        shutil.rmtree(self._folder / name, ignore_errors=True)
        partial.replace(self._folder / name)
        self._point(name)
        return name

    def roll_back(self) -> str | None:
        """Point to the net that was in use before the current one, passing over any that must not be used; its name.

        None when the shipped one is in use already: there is nothing before it.
        """
        name = self.current
        if name == SHIPPED_NAME:
            return None
        sound = False
        while not sound:
            try:
                name = str(self._card(name)["before"])
            except BadModel:  # lost is what would say which was before it
                name = SHIPPED_NAME
            with contextlib.suppress(BadModel):
                self.check(name)
                sound = True
        self._point(name)
        return name

    def _before(self, name: str) -> str:
        """The net to go back to from `name`. One made a second time keeps its own: no two may point at each other."""
        try:
            return str(self._card(name)["before"])
        except BadModel:
            return SHIPPED_NAME if self.current == name else self.current

    def _model(self, name: str) -> Path:
        return SHIPPED_READER if name == SHIPPED_NAME else self._folder / name / _MODEL

    def _card(self, name: str) -> dict[str, Any]:
        """What the card says, whatever has become of the net."""
        if not _NAME.fullmatch(name):
            raise BadModel(self._folder / _CURRENT, f"{name[:40]!r} is no name of a net")
        where = self._folder / name / _CARD
        try:
            card = json.loads(where.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise BadModel(where, str(error)) from None
        if not isinstance(card, dict) or not {"sha256", "characters", "before"} <= set(card):
            raise BadModel(where, "not the card of a net")
        return card

    def _proven(self, name: str) -> dict[str, Any]:
        """The card, once the net's file is proven to be the one it is about."""
        card, model = self._card(name), self._model(name)
        try:
            digest = hashlib.sha256(model.read_bytes()).hexdigest()
        except OSError as error:
            raise BadModel(model, error.strerror or "cannot be read") from None
        if card["sha256"] != digest or not digest.startswith(name):
            raise BadModel(model, "damaged or foreign: not the file that was measured and installed")
        if card["characters"] != _ALPHABET:
            raise BadModel(model, "made for other characters than this version reads")
        return card

    def _point(self, name: str) -> None:
        pointer = self._folder / _CURRENT
        partial = pointer.with_suffix(".part")
        _write(partial, f"{name}\n".encode())
        partial.replace(pointer)


def trouble_with(reader: Path) -> str:
    """Why no plate can be read with this net and the finder and thresholds that are shipped; "" when all is well."""
    from drivers.camera.plates.eye import PlateEye

    try:
        PlateEye(model=reader).load()
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _reads(model: Path) -> None:
    """BadModel unless the file is a net that reads plates. Only here is OpenCV needed: a plant without such nets starts
    without it."""
    from drivers.camera.plates.read import Reader

    try:
        Reader(model, temperature=1.0)
    except (OSError, ValueError) as error:
        raise BadModel(model, str(error)) from None


def _write(path: Path, data: bytes) -> None:
    """On the disk itself: a power cut must not leave a pointer to nothing."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
