"""Profiles are data: what is wrong with one is told in words."""

from pathlib import Path

import pytest

from drivers.scale.frames import FrameDecoder, indicator_names, load_profile
from drivers.scale.profile import default_directory
from tests.drivers.scale.benches import NET_LEFT_OUT, NO_NET

NAMES = """
    yaohua_tf0 yaohua_command yaohua_w eq_reversed eq_plain eq_kg gw_paren toledo ad_std cas22 mt_sics dini_std dini_ext
    rinstrum_net rinstrum_fmt1 rinstrum_fmt2 sma rlws cardinal weightronix bilanciai systec prot_f
"""


def test_the_indicators_of_this_program() -> None:
    assert set(NAMES.split()) <= set(indicator_names())
    for name in indicator_names():
        profile = load_profile(name)
        assert profile.manual and profile.certain and profile.uncertain
        assert profile.unit == "kg", "what a site does not set is kilograms"


def test_an_unknown_name_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(ValueError, match="unknown indicator 'tolledo'; valid: .*ad_std.*toledo.*yaohua_tf0"):
        load_profile("tolledo")


def test_a_site_may_keep_its_own_folder(tmp_path: Path) -> None:
    text = (default_directory() / "ad_std.toml").read_text(encoding="utf-8")
    (tmp_path / "ours.toml").write_text(text.replace('name = "ad_std"', 'name = "ours"'), encoding="utf-8")
    assert load_profile("ours", tmp_path).name == "ours"
    with pytest.raises(ValueError, match="unknown indicator 'toledo'; valid: ours"):
        load_profile("toledo", tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[frame]", "[fram]"), "Extra inputs are not permitted"),
        (('name = "ad_std"', 'name = "other"'), "name is 'other'"),
        (('kind = "number"', 'kind = "nummer"'), "nummer"),
        (('["stable"]', '["standing"]'), "standing"),
        (('title = "', "title = "), r"bad\.toml"),
        (('end = "0D" # CR LF; some send one of them\nor_end', "or_end"), "found by its end, or by its start"),
    ],
)
def test_a_faulty_file_is_named_with_its_fault(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    text = (default_directory() / "ad_std.toml").read_text(encoding="utf-8")
    assert change[0] in text
    name = "ad_std" if change[1].startswith('name = "other') else "bad"
    text = text.replace(*change) if name == "ad_std" else text.replace('"ad_std"', '"bad"', 1).replace(*change)
    (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        load_profile(name, tmp_path)


def test_who_cannot_say_net_is_known_from_the_layouts() -> None:
    """Against the list that the contract suite proves with a tare at every simulator."""
    assert {name for name in indicator_names() if not load_profile(name).says_net} == NO_NET | NET_LEFT_OUT


def test_what_may_leave_net_out_must_not_be_tared(tmp_path: Path) -> None:
    """Its frames with and without the word are both decoded, and one without it is read as gross."""
    decoder = FrameDecoder(load_profile("ad_std"))
    modes = [wire.mode for wire in decoder.feed(b"ST,NT,+03000.0kg\r\nST,+03000.0 kg\r\n")]
    assert modes == ["net", None]
    tare = '\n[[command]]\nname = "tare"\nrequest = [{ kind = "literal", hex = "4D540D0A" }]\n'
    text = (default_directory() / "ad_std.toml").read_text(encoding="utf-8") + tare
    (tmp_path / "ad_std.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="need not say net"):
        load_profile("ad_std", tmp_path)
    always = text.replace("optional = true, any_case", "any_case")
    (tmp_path / "ad_std.toml").write_text(always, encoding="utf-8")
    assert load_profile("ad_std", tmp_path).says_net, "the control"
