"""The tables of docs/drivers.md, made from the profiles, the register maps, the golden frames and the measured noise.

`python -m tests.drivers.scale.driver_docs` writes them anew; test_driver_docs.py fails while the page says otherwise.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from drivers.scale.profile import IndicatorProfile, StatusByte, indicator_names, load_profile
from drivers.scale.registers import RegisterMap, load_register_map, register_map_names
from tests.drivers.scale.fuzz import CHECKSUMMED, RESIDUAL, ROWS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "drivers.md"
CAPTURES = Path(__file__).resolve().parents[2] / "captures" / "scale"
KINDS = ("captured", "manual", "layout")
"""What a golden frame is: from the field, printed in a manual, or made from the layout (broken ones too)."""
MANUAL_WORDS = {"generic_transmitter"}
"""Register maps whose manual prints an answer that tests/drivers/scale/test_registers.py decodes."""


def golden(indicator: str) -> Counter[str]:
    """How many golden frames of each kind there are."""
    lines = (CAPTURES / f"{indicator}.jsonl").read_text(encoding="utf-8").splitlines()
    return Counter(json.loads(line)["kind"] for line in lines)


def indicator_table() -> str:
    """One line for each profile."""
    lines = [
        "| profile | for | how | told | frame says | checksum | golden frames: captured, manual | tested with |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in indicator_names():
        profile, kinds = load_profile(name), golden(name)
        counts = f"{kinds['captured']}, {kinds['manual']}"
        cells = (
            f"`{name}`",
            profile.title,
            _way(profile),
            _told(profile),
            _says(profile),
            _checksum(profile),
            counts,
            _tested(kinds),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _way(profile: IndicatorProfile) -> str:
    addressed = ", addresses" if profile.poll and profile.poll.addresses else ""
    if profile.poll is None:
        return "sends"
    return f"asked{addressed}" if profile.mode == "poll" else f"sends, or asked{addressed}"


def _told(profile: IndicatorProfile) -> str:
    return ", ".join(command.name.value.replace("_", " ") for command in profile.command) or "–"


def _says(profile: IndicatorProfile) -> str:
    """What its frames tell beside the number. Of net the contract suite holds it to that, by taring every simulator."""
    said = set[str]()
    for layout in profile.layout:
        said |= set(layout.says)
        for field in layout.fields:
            said |= {each for texts in getattr(field, "values", {}).values() for each in texts}
            if isinstance(field, StatusByte):
                said |= {each for bit in field.bits for each in (*bit.set, *bit.clear)}
    words = {
        "motion": said & {"moving"},
        "range": said & {"overload", "out_of_range"},
        "net": profile.says_net,
    }
    return ", ".join(word for word, told in words.items() if told) or "the number only"


def _checksum(profile: IndicatorProfile) -> str:
    if profile.check is None:
        return "none"
    rule = {"xor": "XOR", "toledo": "7-bit sum", "crc16": "CRC-16"}[profile.check.rule]
    return f"{rule}, learned" if profile.check.use == "learn" else rule


def _tested(kinds: Counter[str]) -> str:
    if kinds["captured"]:
        return "captures"
    return "manual's examples" if kinds["manual"] else "simulator only"


def register_table() -> str:
    """One line for each register map."""
    lines = [
        "| map | for | site must say | told | status says | heartbeat | tested with |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in register_map_names():
        found = load_register_map(name)
        told = ", ".join(telling.command.value.replace("_", " ") for telling in found.command) or "–"
        says = ", ".join(sorted(found.meanings & {"moving", "overload", "net", "error"})) or "nothing"
        beat = "yes" if found.heartbeat else "–"
        cells = (f"`{name}`", found.title, _site(found), told, says, beat, _proof(found))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _site(found: RegisterMap) -> str:
    wanted = []
    if found.wide and found.word_order is None:
        wanted.append("`word_order`")
    if found.decimals is None and found.division is None:
        wanted.append("`decimals`")
    return ", ".join(wanted) or "–"


def _proof(found: RegisterMap) -> str:
    if found.name in MANUAL_WORDS:
        return "manual's example"
    return "simulator only, no manual found" if found.manual.startswith("none found") else "simulator only"


def noise_table() -> str:
    """What a million damaged frames let through, from the run kept in residual.json."""
    measured = json.loads(RESIDUAL.read_text(encoding="utf-8"))
    heads = " | ".join(f"{row} in a row" for row in ROWS)
    lines = [f"| profile | {heads} | damaged frames |", "|---|" + "---|" * (len(ROWS) + 1)]
    for name in indicator_names():
        if name not in CHECKSUMMED:
            rates = " | ".join(f"{measured[name][str(row)]:,}" for row in ROWS)
            lines.append(f"| `{name}` | {rates} | {measured[name]['frames']:,} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[], str]] = {
    "indicators": indicator_table, "registers": register_table, "noise": noise_table,
}  # fmt: skip


def with_tables(page: str) -> str:
    """The page with every table as it is now; each stands between `<!-- NAME -->` and `<!-- /NAME -->`."""
    for name, table in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)", re.DOTALL)
        page, count = pattern.subn(lambda found, table=table: found[1] + table() + found[2], page)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"docs/drivers.md has {count} places for the table {name!r}")
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
