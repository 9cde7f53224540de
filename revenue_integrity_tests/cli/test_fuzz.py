"""Whatever a person types or sets: exit code 0, 1 or 2 and a sentence, never a traceback, never a write outside of the home."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revenue_integrity.errors import SettingsError
from revenue_integrity.settings import PREFIX, Settings
from revenue_integrity.streams.registry import load_settings, settings_model
from revenue_integrity_tests.cli.conftest import Run
from revenue_integrity_tests.support import home_settings

ODD = (
    "",
    " ",
    ".",
    "..",
    "/",
    "/dev/null",
    "-",
    "--",
    "=1+1",
    "'",
    '"',
    "*",
    "(",
    ")",
    "((((",
    "a and or",
    "key:",
    "tag:",
    "+*",
    "*+",
    "v0",
    "v1",
    "v²",
    "v-1",
    "v" + "9" * 5000,
    "current",
    "0001-01",
    "9999-12",
    "0001-01:9999-12",
    "2025-03:",
    ":",
    "2025-03:2025-02",
    "２０２５-０３",
    "2025-02-30",
    "0001-01-01T00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "20250431T000000Z",
    "99999999999999999999",
    "-1",
    "1e400",
    "nan",
    "inf",
    "\udcff",
    "\u202eabc",
    "a" * 300,
    "../../etc/passwd",
    "env:HOME",
    "env:",
    "file:",
    "${HOME}",
    "sqlite://",
    "postgresql://",
    "://",
    "colocation",
    "cloud",
    "sites",
    "contract_month",
    "checks",
    "ACME",
    "erp_vs_mart",
    "latin-99",
    "utf-7",
)  # fmt: skip
"""What people and programs have typed where something else was meant."""

words = st.one_of(
    st.sampled_from(ODD), st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), max_size=12)
)

CHEAP = (
    "export {} --month {} --tenant {} --stream {}",
    "export {} --as-of {}",
    "export {} -o {}",
    "export contract_month -o {} --format csv",
    "recon {}",
    "recon 2025-03 --recon {} --view {}",
    "quarantine --month {}",
    "land {} {} {}",
    "land colocation sites {} --arrival {}",
    "land colocation sites {} --mapping {}",
    "map check {} {}",
    "map draft {} {} {}",
    "map draft colocation erp_invoices {}",
    "pull colocation sites --url {} --table {}",
    "pull {} {} --url {}",
    "simulate --months {} --stream {}",
    "simulate --stream {} --faults {}",
    "simulate --seed {}",
    "restore {}",
    "run --as-of {}",
    "run --months {}",
    "run --stream {} --as-of {}",
    "{}",
    "{} {}",
    "alerts {}",
    "export --format {}",
    "recon {} --safe-cells",
)  # fmt: skip
"""Commands that end before the record of runs is opened, whatever stands in their places."""

DEAR = (
    "restatement {} --from {} --to {} --book {}",
    "restatement 2025-03 --from {} --book colocation",
    "prepare {} --as {} --book {}",
    "approve 2025-03 --as {} --book colocation",
    "waive 2025-03 {} --as {} --reason {} --book colocation",
    "status --month {} --book {}",
    "reopen 2025-03 --as {} --reason {} --book colocation",
    "pack {} --book {}",
    "run --select {}",
)  # fmt: skip


@st.composite
def typed(draw: st.DrawFn, templates: tuple[str, ...]) -> list[str]:
    """Return the words of a command with odd ones in its places."""
    return [draw(words) if word == "{}" else word for word in draw(st.sampled_from(templates)).split(" ")]


def held_outside(home: Path) -> set[Path]:
    """Return what stands beside a home."""
    return {path for path in home.parent.rglob("*") if home not in (path, *path.parents)}


def ends_well(run_in: Run, home: Settings, arguments: list[str]) -> None:
    """Run a command; demand an exit code and a sentence."""
    before = held_outside(home.home)
    done = run_in(home, *arguments)
    assert done.code in (0, 1, 2), arguments
    assert done.code == 0 or done.err.strip(), arguments
    assert "Traceback" not in done.err, arguments
    assert held_outside(home.home) == before, arguments


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of a home in which nothing was ever done; commands start in a directory beside it."""
    beside = tmp_path / "beside"
    beside.mkdir()
    monkeypatch.chdir(beside)
    return home_settings(tmp_path / "home")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(arguments=typed(CHEAP))
def test_a_command_with_odd_arguments_ends_with_a_sentence(empty: Settings, run_in: Run, arguments: list[str]) -> None:
    ends_well(run_in, empty, arguments)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(arguments=typed(DEAR))
def test_a_command_of_the_close_with_odd_arguments_ends_with_a_sentence(
    empty: Settings, run_in: Run, arguments: list[str]
) -> None:
    ends_well(run_in, empty, arguments)


SETTINGS = tuple(settings_model().model_fields)
VALUES = (
    *ODD[:-10],
    "[" * 3000,
    '{"a":' * 3000,
    "10" * 20,
    "1" + "0" * 40,
    "-" + "1" * 40,
    "0.1" + "0" * 60,
    "[]",
    "{}",
    "[1]",
    '{"a": 1}',
    '["a:b:c"]',
    "true",
    "0",
    "1",
    "UTC",
    "../UTC",
    "/etc/localtime",
    "USD",
    "0001-01",
    "9999-12",
    '{"x": {"streams": ["cloud"]}}',
    "null",
)  # fmt: skip


def read() -> Settings | None:
    """Read the settings; ``None`` where they are refused, which must be a sentence."""
    refusal = ""
    try:
        return load_settings()
    except SettingsError as refused:
        refusal = str(refused)
    assert refusal
    assert "Value error" not in refusal
    return None


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(SETTINGS), value=st.one_of(st.sampled_from(VALUES), words))
def test_a_setting_of_any_value_is_taken_or_refused_with_a_sentence(name: str, value: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(f"{PREFIX}{name}".upper(), value)
        found = read()
        if found is not None:
            # What the rest computes with: months around each month, and whole numbers that an engine holds.
            assert found.months[-1] >= found.months[0]
            for each in type(found).model_fields:
                number = getattr(found, each)
                assert not isinstance(number, int) or abs(number) <= 10**15, each


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [b"a = " + b"[" * 5000, b"[" * 5000, b"\xff\xfe", "währung = 1".encode("latin-1"), b"currency = ", b"books = 1"]
        ),
        st.builds(
            lambda name, value: f"{name} = {value!r}".encode("utf-8", "replace"),
            st.sampled_from(SETTINGS),
            st.sampled_from(VALUES),
        ),
    )
)
def test_a_file_of_settings_of_any_content_is_taken_or_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(f"{PREFIX}CONFIG", str(file))
        read()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("HOME", "", "setting home='': names no directory; unset it, or name one"),
        ("HOME", "FILE", "FILE is no directory"),
        ("HOME", "FILE/below", "FILE is no directory"),
        ("HOME", "/tmp/" + "a" * 300, "setting home names no place of this system: File name too long"),
        ("LANDING", " ", "setting landing=' ': names no directory"),
        ("FIRST_MONTH", "0001-01", "must lie between 1900-01 and 2199-12"),
        ("LAST_MONTH", "9999-12", "must lie between 1900-01 and 2199-12"),
        ("THREADS", "1" + "0" * 18, "less than or equal to 1024"),
        ("TOLERANCE_CENTS", "1" + "0" * 40, "must be at most 1000000000000000"),
        ("HOLIDAYS", "[[[", "setting holidays: REVENUE_INTEGRITY_HOLIDAYS is no JSON"),
        ("HOLIDAYS", "[" * 20_000, "too deeply nested"),
    ],
)
def test_a_setting_with_which_nothing_could_be_computed_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv(f"{PREFIX}{name}", value.replace("FILE", str(file)))
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert told.replace("FILE", str(file)) in str(refused.value)
    assert list(tmp_path.iterdir()) == [file]
