"""Settings: where values come from, what is refused and how it is told."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, cast

import pytest
from pydantic import Field

from revenue_integrity import clock, days_off
from revenue_integrity.errors import SettingsError
from revenue_integrity.settings import PREFIX, Settings, joined, sections_of
from revenue_integrity.settings_reading import read_settings
from revenue_integrity.streams.registry import STREAMS, load_settings, settings_model


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the settings of whoever runs the tests out of the environment."""
    import os

    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in settings_model().model_fields.items() if not field.description] == []


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "deployment.toml"
    file.write_text('first_month = "2023-07"\nlate_after_days = 9\nholidays = [2025-01-01]\n', encoding="utf-8")
    monkeypatch.setenv(f"{PREFIX}CONFIG", str(file))
    monkeypatch.setenv(f"{PREFIX}LATE_AFTER_DAYS", "5")
    monkeypatch.setenv(f"{PREFIX}APPROVERS", '["ann", "bob"]')
    settings = load_settings()
    assert settings.first_month == date(2023, 7, 1)
    assert settings.late_after_days == 5
    assert settings.holidays == (date(2025, 1, 1),)
    assert settings.approvers == ("ann", "bob")
    assert settings.lookback_days == 28


def test_paths_follow_the_home_unless_they_are_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(home=Path("here"), landing=tmp_path / "elsewhere")
    assert settings.home == tmp_path / "here"
    assert settings.landing_path == tmp_path / "elsewhere"
    assert settings.published_path == tmp_path / "here" / "published"
    assert settings.warehouse_path == tmp_path / "here" / "warehouse.duckdb"


def test_the_last_month_follows_the_calendar_over_a_year_end() -> None:
    with clock.held_at(datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)):
        assert load_settings(first_month="2025-11").months == [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1)]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("FIRST_MONTH", "2024-13", "first_month='2024-13'"),
        ("FIRST_MONTH", "January", "Write it as YYYY-MM"),
        ("CURRENCY", "usd", "currency='usd'"),
        ("CLOSE_TIMEZONE", "EST5", "must be an IANA time zone"),
        ("TOLERANCE_SHARE", "1.5", "less than or equal to 1"),
        ("TOLERANCE_SHARE", "1 %", "tolerance_share='1 %'"),
        ("CUTOFF_BUSINESS_DAY", "0", "greater than or equal to 1"),
        ("ALLOCATION_METHOD", "fair", "'hybrid', 'metered_share' or 'reserved_share'"),
        ("MEMORY_LIMIT", "much", "memory_limit='much'"),
        ("UI_PORT", "70000", "ui_port='70000'"),
        ("HOLIDAYS", '["2025-02-30"]', "holidays"),
        ("HOLIDAYS", "2025-01-01", "holidays"),
        ("HOLIDAY_CALENDAR", "Mars", "there is no such calendar; countries: AD, AE, AF, "),
        ("HOLIDAY_CALENDAR", "Mars", "; markets: ASX, "),
        ("HOLIDAY_CALENDAR", "US-XX", "there is no such calendar; of US there are US, US-AK, US-AL, "),
        ("HOLIDAY_CALENDAR", "", "there is no such calendar"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_all_bad_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}CURRENCY", "dollars")
    monkeypatch.setenv(f"{PREFIX}UI_PORT", "0")
    with pytest.raises(SettingsError, match=r"currency='dollars'.*; .*ui_port='0'"):
        load_settings()


def test_months_and_limits_must_be_in_order() -> None:
    with pytest.raises(SettingsError, match="last_month 2024-01 lies before first_month 2025-01"):
        load_settings(first_month="2025-01", last_month="2024-01")
    with pytest.raises(SettingsError, match="quarantine_warn_share must not exceed quarantine_publish_share"):
        load_settings(quarantine_warn_share="0.5")


def test_an_unknown_name_is_refused_wherever_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "deployment.toml"
    file.write_text("first_mont = 1\n", encoding="utf-8")
    monkeypatch.setenv(f"{PREFIX}CONFIG", str(file))
    with pytest.raises(SettingsError, match="there is no setting 'first_mont'; there are first_month, "):
        load_settings()
    monkeypatch.delenv(f"{PREFIX}CONFIG")
    monkeypatch.setenv(f"{PREFIX}FIRSTMONTH", "2024-01")
    with pytest.raises(SettingsError, match="there is no setting REVENUE_INTEGRITY_FIRSTMONTH; there are first_month, "):
        load_settings()


@pytest.mark.parametrize("content", [b"first_month = ", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "deployment.toml"
    file.write_bytes(content)
    monkeypatch.setenv(f"{PREFIX}CONFIG", str(file))
    with pytest.raises(SettingsError, match="REVENUE_INTEGRITY_CONFIG"):
        load_settings()


def test_a_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(f"{PREFIX}CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match=r"none\.toml"):
        load_settings()


def test_a_share_is_exact_and_fingerprints_see_each_change() -> None:
    settings = load_settings(tolerance_share="0.1", holidays=["2025-01-01"])
    assert settings.tolerance_share == Decimal("0.1")
    told = settings.values("tolerance_share", "holidays", "first_month")
    assert told == {"first_month": "2024-01", "holidays": '["2025-01-01"]', "tolerance_share": "0.1"}
    tenants = {"B": "T-2", "A": "Zürich"}
    told = load_settings(tenant_of_billing_account=tenants).values("tenant_of_billing_account")
    assert told == {"tenant_of_billing_account": '{"A": "Zürich", "B": "T-2"}'}
    with pytest.raises(KeyError, match="no such setting"):
        settings.values("tolerance")


def test_a_fingerprint_sees_another_edition_of_a_holiday_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().values("holiday_calendar") == {"holiday_calendar": "None"}
    settings = load_settings(holiday_calendar="US")
    monkeypatch.setattr(days_off, "version", lambda package: {"holidays": "7.5"}[package])
    assert settings.values("holiday_calendar", "first_month") == {
        "first_month": "2024-01",
        "holiday_calendar": "US (holidays 7.5)",
    }
    assert settings.holiday_calendar == "US"


class ToySettings(Settings):
    """Settings of a stream of which no other knows."""

    stream: ClassVar[str] = "toy"

    toy_days: int = Field(7, ge=1, description="Days.")
    shares: tuple[Decimal, ...] = Field((), description="Shares.")


def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> Path:
    """Write the file that names the settings of a deployment."""
    file = tmp_path / "deployment.toml"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv(f"{PREFIX}CONFIG", str(file))
    return file


def read_toy() -> ToySettings:
    """Return the settings of a deployment whose one stream is the toy."""
    return cast(ToySettings, read_settings(joined(ToySettings)))


@pytest.mark.parametrize("text", ["toy_days = 9", "[toy]\ndays = 9", "[toy]\ntoy_days = 9"])
def test_a_streams_setting_has_one_name_at_the_top_of_the_file_and_in_its_section(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    configured(monkeypatch, tmp_path, text)
    settings = read_toy()
    assert settings.toy_days == 9
    assert settings.values("toy_days") == {"toy_days": "9"}


@pytest.mark.parametrize("name", ["TOY_DAYS", "TOY__DAYS", "TOY__TOY_DAYS", "Toy__days"])
def test_a_streams_setting_is_a_variable_with_and_without_its_section(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    configured(monkeypatch, tmp_path, "[toy]\ndays = 9")
    monkeypatch.setenv(f"{PREFIX}{name}", "5")
    assert read_toy().toy_days == 5
    monkeypatch.setenv(f"{PREFIX}TOY__SHARES", '["0.1", "0.2"]')
    assert read_toy().shares == (Decimal("0.1"), Decimal("0.2"))


def test_a_setting_that_stands_twice_is_refused_with_both_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = configured(monkeypatch, tmp_path, "toy_days = 9\n[toy]\ndays = 8")
    with pytest.raises(SettingsError, match=rf"the setting toy_days stands twice: at the top of {file} and below \[toy\]"):
        read_toy()
    configured(monkeypatch, tmp_path, "")
    monkeypatch.setenv(f"{PREFIX}TOY_DAYS", "1")
    monkeypatch.setenv(f"{PREFIX}TOY__DAYS", "2")
    with pytest.raises(SettingsError, match=f"toy_days stands twice: as {PREFIX}TOY__DAYS and {PREFIX}TOY_DAYS"):
        read_toy()


def test_an_unknown_name_in_a_section_is_refused_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = configured(monkeypatch, tmp_path, "[toy]\nday = 9")
    with pytest.raises(SettingsError, match=f"no setting 'day' in the section toy \\({file}\\); there are days, shares"):
        read_toy()
    configured(monkeypatch, tmp_path, "toy = 9")
    with pytest.raises(SettingsError, match="toy is a section, no setting"):
        read_toy()
    configured(monkeypatch, tmp_path, "[tow]\ndays = 9")
    with pytest.raises(SettingsError, match="there is no setting 'tow'; there are toy"):
        read_toy()
    configured(monkeypatch, tmp_path, "")
    monkeypatch.setenv(f"{PREFIX}TOY__DAY", "9")
    with pytest.raises(SettingsError, match=rf"'day' in the section toy \({PREFIX}TOY__DAY\); there are days, shares"):
        read_toy()


def test_a_bad_value_in_a_section_is_refused_by_its_one_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configured(monkeypatch, tmp_path, "[toy]\ndays = 0")
    with pytest.raises(SettingsError, match="setting toy_days=0: Input should be greater than or equal to 1"):
        read_toy()


def test_two_streams_never_call_a_setting_by_one_name() -> None:
    class OtherSettings(Settings):
        stream: ClassVar[str] = "other"
        shares: int = Field(1, description="Other shares.")

    with pytest.raises(ValueError, match="two streams have a setting shares"):
        joined(ToySettings, OtherSettings)


def test_the_sections_are_those_of_the_streams_that_there_are() -> None:
    sections = sections_of(settings_model())
    assert set(sections) <= set(STREAMS)
    assert "late_after_days" in sections["colocation"]
    assert "cost_jump_factor" in sections["cloud"]
    assert not set(sections["colocation"]) & {*Settings.model_fields, *sections["cloud"]}
