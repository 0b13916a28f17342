"""The configuration: the example is complete, and everything wrong is one line: file, path, value, what is allowed."""

from pathlib import Path

import pytest

from sync.office.settings import Settings, load_settings, missing_files
from sync.secrets import hash_secret, matches
from sync.settings_errors import SettingsError

GOOD = '[office]\nname = "总部"\n'


def problem(tmp_path: Path, text: str) -> str:
    file = tmp_path / "office.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    return str(caught.value)


def test_the_example_is_good_and_names_every_key(repository: Path) -> None:
    file = repository / "config" / "office.example.toml"
    settings = load_settings(file)
    text = file.read_text(encoding="utf-8")
    for table in ("office", "link", "web", "policy"):
        for key in type(getattr(settings, table)).model_fields:
            assert f"\n{key} = " in text, f"{table}.{key} is not in the example"
    assert "no such file" in missing_files(settings, file)[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[office]\nname = "x"\ncolour = 1\n', "office.colour: unknown key — allowed here: database, name, utc"),
        ("[office]\n", "office.name: is missing"),
        (GOOD + "[web]\nport = 99999\n", "web.port: 99999 — should be less than or equal to 65535"),
        (GOOD + '[web]\nport = "x"\n', "web.port: 'x' — should be a valid integer"),
        ('[office]\nname = "x"\ndatabase = "mysql://x"\n', "office.database: 'mysql://x' — allowed: sqlite:///FILE"),
        (GOOD + '[[people]]\nname = "A"\nrole = "king"\npin_hash = "x"\n', "people[0].role: 'king' — should be"),
        (GOOD + '[[people]]\nname = "A"\nrole = "viewer"\npin_hash = "1234"\n', "[0].pin_hash: (a value not"),
        (GOOD + "[link]\nport = 0\n", "link.port: 0 — should be greater than or equal to 1"),
        ("[office\n", "is not TOML"),
    ],
)  # fmt: skip
def test_one_line_says_where_what_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    lines = problem(tmp_path, text).splitlines()
    assert all(line.startswith(str(tmp_path / "office.toml")) for line in lines)
    assert any(said in line for line in lines), lines
    assert "1234" not in "".join(lines)


def test_a_name_stands_once(tmp_path: Path) -> None:
    person = f'[[people]]\nname = "A"\nrole = "viewer"\npin_hash = "{hash_secret("1")}"\n'
    assert "A stands there twice" in problem(tmp_path, GOOD + person + person)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load_settings(tmp_path / "none.toml")


def test_paths_are_the_files_own(tmp_path: Path) -> None:
    file = tmp_path / "office.toml"
    file.write_text(GOOD, encoding="utf-8")
    settings: Settings = load_settings(file)
    assert settings.database_url == f"sqlite:///{tmp_path / 'office.sqlite3'}"
    assert settings.at(Path("ca.crt")) == tmp_path / "ca.crt"


def test_secrets_match_only_themselves() -> None:
    stored = hash_secret("123456")
    assert matches("123456", stored) and not matches("123457", stored)
    assert stored != hash_secret("123456")
