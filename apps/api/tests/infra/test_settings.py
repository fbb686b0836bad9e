"""Settings: what production refuses, how it is said, and the secret key."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from topcoin.infra.secret_key import derived_key
from topcoin.infra.settings import InvalidSettings, Settings, load_settings

STRONG = "pX7vQ2mL9kR4tY8wB1nD6hJ3sF5gC0zA"

PRODUCTION = {
    "TOPCOIN_ENV": "production",
    "TOPCOIN_DATABASE_URL": "postgresql://app@db/topcoin",
    "TOPCOIN_MIGRATION_DATABASE_URL": "postgresql://owner@db/topcoin",
    "TOPCOIN_READ_DATABASE_URL": "postgresql://read@db/topcoin",
    "TOPCOIN_SECRET_KEY": STRONG,
    "TOPCOIN_PUBLIC_URL": "https://topcoin.example",
}


def load(monkeypatch: pytest.MonkeyPatch, **environment: str | None) -> Settings:
    """Settings from this environment."""
    for name, value in environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return load_settings()


def test_production_in_earnest_is_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load(monkeypatch, **PRODUCTION).is_production
    file = tmp_path / "key"
    file.write_text(f"{STRONG}\n")
    settings = load(monkeypatch, TOPCOIN_SECRET_KEY=None, TOPCOIN_SECRET_KEY_FILE=str(file))
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() == STRONG


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"TOPCOIN_SECRET_KEY": None}, "production needs TOPCOIN_SECRET_KEY"),
        ({"TOPCOIN_SECRET_KEY": STRONG[:31]}, "too short or too easily guessed"),
        ({"TOPCOIN_SECRET_KEY": "ab" * 32}, "too short or too easily guessed"),
        ({"TOPCOIN_SECRET_KEY": f"{STRONG}-Change-me"}, "too short or too easily guessed"),
        ({"TOPCOIN_READ_DATABASE_URL": PRODUCTION["TOPCOIN_DATABASE_URL"]}, "each of the three roles"),
        ({"TOPCOIN_PUBLIC_URL": "http://topcoin.example"}, "must begin with https://"),
        (
            {name: None for name in PRODUCTION if name.endswith("DATABASE_URL")},
            "production needs a PostgreSQL of its own",
        ),
    ],
)
def test_production_refuses_what_is_only_convenient(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], said: str
) -> None:
    with pytest.raises(InvalidSettings, match=said) as refused:
        load(monkeypatch, **{**PRODUCTION, **changes})
    assert STRONG not in str(refused.value)


def test_what_is_wrong_with_a_setting_is_said_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSettings, match=r"^TOPCOIN_HTTP_PORT: "):
        load(monkeypatch, TOPCOIN_HTTP_PORT="70000")


def test_a_key_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(derived_key, [settings] * 32, ["csrf"] * 32))
    assert len(keys) == 1
    (file,) = (tmp_path / "data").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_each_purpose_and_each_installation_has_a_key_of_its_own(tmp_path: Path) -> None:
    one, other = [load_settings(data_dir=tmp_path / name) for name in ("one", "other")]
    keys = {derived_key(settings, purpose) for settings in (one, other) for purpose in ("csrf", "receipts")}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}


def test_a_key_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidSettings, match="secret key"):
        derived_key(load_settings(data_dir=tmp_path / "file"), "csrf")
