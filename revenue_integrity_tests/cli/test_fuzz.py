"""Whatever a person types or sets: exit code 0, 1 or 2 and a sentence, never a traceback, never a write outside of the home."""

import json
from collections.abc import Mapping
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
    "withdraw {} --as {} --reason {} --yes",
    "withdraw colocation/sites/20250101T000000Z --as {} --reason {} --yes",
    "land colocation withdrawals {}",
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


MAPPING = {
    "stream": "colocation",
    "source": "erp_control_totals",
    "file": {"delimiter": ";", "decimal": ",", "timestamp": "DD.MM.YYYY HH:mm", "timezone": "UTC", "encoding": "utf-8"},
    "columns": {"service_month": "Monat", "extracted_at": "Stand", "lines": "Zeilen", "amount": "Betrag"},
}
"""A mapping that holds, of which something is changed."""

MONTHLY = "Monat;Stand;Zeilen;Betrag\n2025-03;05.04.2025 06:00;2;12,50\n"

_odd_values = st.one_of(
    words, st.integers(-(10**40), 10**40), st.floats(), st.booleans(), st.lists(words, max_size=3), st.dictionaries(words, words)
)


@st.composite
def odd_mappings(draw: st.DrawFn) -> str:
    """Return the text of a mapping in which some values and names are odd."""
    if draw(st.integers(0, 20)) == 0:
        return f"columns = {'[' * 5000}"
    changed: dict[str, object] = {}
    for name, value in MAPPING.items():
        if isinstance(value, dict):
            inner: dict[str, object] = {key: draw(_odd_values) if draw(st.booleans()) else each for key, each in value.items()}
            inner |= draw(st.dictionaries(words.filter(bool), _odd_values, max_size=1))
            changed[name] = inner
        else:
            changed[name] = draw(_odd_values) if draw(st.integers(0, 5)) == 0 else value
    return toml_of(changed)


def toml_of(content: Mapping[str, object]) -> str:
    """Return TOML of plain values and tables of them."""

    def shown(value: object) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{quoted(key)} = {shown(each)}" for key, each in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(shown, value)) + "]"
        if isinstance(value, bool):
            return str(value).lower()
        return quoted(value) if isinstance(value, str) else str(value)

    def quoted(text: str) -> str:
        return json.dumps(text.encode("utf-8", "replace").decode())

    return "\n".join(f"{name} = {shown(value)}" for name, value in content.items()) + "\n"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=odd_mappings(), content=st.one_of(st.just(MONTHLY.encode()), st.binary(max_size=60)), land=st.booleans())
def test_a_mapping_of_any_content_reads_its_file_or_is_refused_with_a_sentence(
    empty: Settings, run_in: Run, text: str, content: bytes, land: bool
) -> None:
    mapping, sample = empty.home.parent / "beside" / "mapping.toml", empty.home.parent / "beside" / "sample.csv"
    mapping.write_text(text, encoding="utf-8")
    sample.write_bytes(content)
    command = ["land", "colocation", "erp_control_totals", str(sample), "--mapping", str(mapping)]
    ends_well(run_in, empty, command if land else ["map", "check", str(mapping), str(sample)])
