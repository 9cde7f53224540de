"""Places of the program changed one at a time: exactly the tables and checks that rest on a place must be made again.

What must follow is written here by hand. That a table whose version changed is stale in each of its months is in
``test_staleness``, and what a run makes of it in ``orchestration.test_code_changes``.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import cache
from typing import Any, NamedTuple

import pytest

from revenue_integrity_tests.computing.copies import Copy

COLOCATION, CLOUD = "streams/colocation", "streams/cloud"

RECON = {"recon.recon_results", "recon.recon_causes", "close.close_bridge"}
"""Tables of reconciliation of colocation whose queries get the cutoff."""

LATE = {
    "curated.recognition_lines", "curated.billing_lines", "mart.bookings_flows", "mart.compliance_month", "mart.deal_month",
    "mart.deferred_rollforward", "mart.revenue_month", "close.bookings_close_bridge",
    "curated.sales_ledger_lines", "close.sales_close_bridge",
}  # fmt: skip
"""Tables of bookings and sales that say what came after the cutoff, or are as of the cutoff."""

CAUSES = {"recon.recon_causes", "recon.bookings_recon_causes", "recon.sales_recon_causes"}
"""Tables that the library of causes makes."""

EXACT = {
    "mart.contract_month", "mart.site_month", "mart.mrr_summary", "mart.customer_month", "mart.margin_bridge",
    "mart.contract_risk", "mart.recurring_summary", "mart.assumptions", "mart.cloud_assumptions",
}  # fmt: skip
"""Tables of which a ratio or a rounded amount is computed in Python."""

OF_LANDING = {"rows_are_conserved", "sources_have_delivered", "quarantined_share_is_small", "quarantined_share_is_bearable"}
OF_EVIDENCE = {"colocation.erp_extract_covers_cutoff", "colocation.no_batch_is_rejected"} | {
    "cloud.cloud_invoices_cover_cutoff", "cloud.no_batch_is_rejected",
    "bookings.recognition_extract_covers_cutoff", "bookings.no_batch_is_rejected",
    "sales.ledger_extract_covers_cutoff", "sales.no_batch_is_rejected",
}  # fmt: skip
ALL_WITH_CUTOFF = "all checks but those of the landing"
MATERIALITY = (
    {
        f"colocation.{each}_within_materiality"
        for each in ("erp_vs_mart_is", "erp_vs_allocated_power_is", "unmapped_lines_are", "late_postings_are")
    }
    | {f"bookings.{each}_within_materiality" for each in ("recognition_is", "unmapped_entries_are")}
    | {f"sales.{each}_are_within_materiality" for each in ("sales", "settlements", "late_journals")}
)
STREAMS = {"colocation", "cloud", "bookings", "sales"}


class Change(NamedTuple):
    """A change of a place, and what must be made again because of it."""

    file: str
    old: str
    new: str
    rules: set[str] = set()  # noqa: RUF012 -- nobody changes it
    checks: Any = set()  # noqa: RUF012 -- nobody changes it
    refresh: set[str] = set()  # noqa: RUF012 -- nobody changes it


CHANGES = {
    "a rule of cause is left out": Change(
        f"{COLOCATION}/causes/charges.py", r'^    Cause\("unbilled", terms\.unbilled\),\n', "", {"recon.recon_causes"}
    ),
    "a rule of cause claims something else": Change(
        "close/causes/sides.py", r"& ~rows\.index\.isin\(case\.right\[\"row\"\]\)", "", {"recon.recon_causes"}
    ),
    "a method of a data class": Change(
        "close/causes/explaining.py", r'self\.rows\["rest"\] != 0', 'self.rows["rest"] > 0', CAUSES
    ),
    "the engine of causes": Change("close/causes/explaining.py", r'\["rest"\] - cents', '["rest"] - 1 * cents', CAUSES),
    "the cutoff lies a day earlier": Change(
        "close/calendar.py",
        r"day \+ timedelta\(days=1\)",
        "day + timedelta(days=0)",
        {"curated.invoice_lines", "curated.power_cost_lines"} | RECON | LATE,
        ALL_WITH_CUTOFF,
        STREAMS,
    ),
    "rounding": Change("exact.py", r"rounding=ROUND_HALF_UP\)", 'rounding="ROUND_HALF_EVEN")', EXACT),
    "a constant": Change(f"{COLOCATION}/mart.py", r"^_HOURS = 24$", "_HOURS = 23", {"mart.contract_month"}),
    "a default argument": Change(
        "exact.py",
        r"places: int = RATIO_PLACES",
        "places: int = 5",
        EXACT - {"mart.assumptions", "mart.cloud_assumptions", "mart.margin_bridge"},
    ),
    "a helper of two rules": Change(
        f"{COLOCATION}/mart.py", r"else Decimal\(0\)$", "else Decimal(1)", {"mart.site_month", "mart.margin_bridge"}
    ),
    "a rule of its own": Change(
        f"{CLOUD}/month.py",
        r'"mart/cloud_month", month=month\)',
        '"mart/cloud_month", month=month, more=1)',
        {"mart.cloud_month"},
    ),
    "what a stage reads": Change(
        f"{CLOUD}/mart.py",
        r"select \* from mart\.account_service_day",
        "select 1 from mart.account_service_day",
        {"mart.daily_account_cost"},
    ),
    "a rule's SQL": Change(f"{COLOCATION}/sql/mart/rack_month.sql", r"\A", "select 1; ", {"mart.rack_month"}),
    "SQL that the SQL of a rule includes": Change(
        f"{COLOCATION}/sql/curated/segments.sql.j2",
        r"row_status = 'surviving'",
        "row_status <> 'superseded'",
        {"curated.contract_terms", "curated.meter_daily", "curated.power_bills", "recon.recon_results"},
    ),
    "SQL that several streams include": Change(
        "close/sql/reconcile.sql.j2",
        r"\Z",
        " limit 7",
        {f"recon.{each}recon_results" for each in ("", "cloud_", "bookings_", "sales_")},
    ),
    "a check's SQL": Change(
        f"{COLOCATION}/sql/checks/rack_split_adds_up.sql", r"\Z", " limit 1", set(), {"colocation.rack_split_adds_up"}
    ),
    "what a check lists": Change(
        f"{COLOCATION}/sql/checks/power_bills_are_final_or_booked_rows.sql",
        r"\Z",
        " limit 9",
        set(),
        {"colocation.power_bills_are_final_or_booked"},
    ),
    "SQL that checks include": Change(
        "close/sql/checks/materiality.sql.j2",
        r"coalesce\(sum\(",
        "coalesce(max(",
        set(),
        MATERIALITY,
    ),
    "SQL of a check that streams share": Change(
        "close/sql/checks/quarantined_share.sql",
        r"\Z",
        " limit 1",
        set(),
        {f"{stream}.quarantined_share_is_{each}" for stream in STREAMS for each in ("small", "bearable")},
    ),
    "how a check that warns says what to do": Change(
        f"{COLOCATION}/checks.py",
        r"Ask metering for the missing days",
        "Ask for the missing days",
        set(),
        {"colocation.meters_are_complete"},
    ),
    "what a check's failure stops": Change(
        f"{COLOCATION}/recon_checks.py", r'("power_bills_are_final_or_booked",\n.*\n        Gate\.)SIGN_OFF', r"\g<1>PUBLISH"
    ),
    "the judge of several checks": Change(
        "close/evidence.py",
        r"begin <= each\.arrival <= cutoff",
        "begin <= each.arrival < cutoff",
        set(),
        {f"{stream}.no_batch_is_rejected" for stream in STREAMS},
        STREAMS,
    ),
    "which extracts a close rests on": Change(
        f"{COLOCATION}/recon_checks.py",
        r'always="erp_invoices"',
        'always=""',
        set(),
        {"colocation.erp_extract_covers_cutoff"},
        {"colocation"},
    ),
    "what is worked out after reading": Change(
        f"{CLOUD}/completeness.py", r"to_days\(1 \+ \$days\)", "to_days($days)", refresh={"cloud"}
    ),
    "a column's declaration": Change(
        f"{COLOCATION}/schemas.py",
        r'(CONTRACT_MONTH = [\s\S]*?unit="days", ge=1, le=)31',
        r"\g<1>30",
        {"mart.contract_month"},
    ),
    "the columns that a rule reads": Change(
        f"{COLOCATION}/mart.py",
        r'columns=\("contract_id", "charge", "amount_cents"\)',
        'columns=("contract_id", "charge", "amount_cents", "site_id")',
        {"mart.contract_month"},
    ),
    "the settings that a rule rests on": Change(
        f"{COLOCATION}/curated.py", r'\("accrual_months", \*METER_SETTINGS\)', "METER_SETTINGS", {"curated.power_bills"}
    ),
    "a setting that checks rest on": Change(
        "settings.py",
        r"100_000, ge=0",
        "100_001, ge=0",
        {"mart.assumptions", "mart.bookings_assumptions", "mart.sales_assumptions"},
        MATERIALITY,
    ),
}

WITHOUT_CONSEQUENCE = {
    "a helper that no rule reaches": Change("months.py", r"if not months:", "if not months or len(months) > 999:"),
    "a function of a rule's module that the rule does not reach": Change(
        f"{CLOUD}/curated.py", r'"curated/cloud_events"', '"curated/other_events"'
    ),
    "a column's description": Change(f"{COLOCATION}/schemas.py", r"Mean draw over peak\.", "The mean draw over the peak."),
    "a comment": Change("exact.py", r"^def cents\(", "# Cents are whole.\ndef cents("),
    "a docstring": Change("close/calendar.py", r"in the close time zone", "in the time zone of the close"),
    "formatting": Change(
        f"{COLOCATION}/mart.py",
        r"totals\.insert\(0, \"month\", pd\.Timestamp\(month\)\.as_unit\(\"us\"\)\)",
        "totals.insert(\n        0,\n        'month',\n        (pd.Timestamp(month).as_unit('us')),\n    )",
    ),
    "an annotation": Change("exact.py", r"def cents\((\w+): Decimal\) -> int:", r"def cents(\1: object) -> object:"),
    "a comment in SQL": Change(f"{COLOCATION}/sql/mart/rack_month.sql", r"\A", "-- By rack.\n"),
    "formatting of SQL": Change(f"{COLOCATION}/sql/checks/rack_split_adds_up.sql", r"\Z", "\n\n"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """Return a copy of the program."""
    made = Copy(tmp_path_factory.mktemp("copy"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def unchanged(copy: Copy) -> Mapping[str, Any]:
    """Return what the copy says before anything is changed."""
    return copy.answer()


Ask = Callable[[str], Mapping[str, Any]]


@pytest.fixture(scope="module")
def ask(copy: Copy) -> Ask:
    """Return what asks the copy what it says with a change, once for each change."""

    @cache
    def asked(name: str) -> Mapping[str, Any]:
        change = CHANGES[name]
        with copy.changed(change.file, change.old, change.new):
            return copy.answer()

    return asked


def different(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """Return the names of what is not the same."""
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize("name", CHANGES)
def test_exactly_what_rests_on_a_place_is_made_again(unchanged: Mapping[str, Any], ask: Ask, name: str) -> None:
    change, found = CHANGES[name], ask(name)
    assert different(unchanged["rules"], found["rules"]) == change.rules
    checks = change.checks
    if checks == ALL_WITH_CUTOFF:
        checks = {check for check in unchanged["checks"] if check.partition(".")[2] not in OF_LANDING}
        assert checks > OF_EVIDENCE
    assert different(unchanged["checks"], found["checks"]) == checks
    assert different(unchanged["refresh"], found["refresh"]) == change.refresh


def test_what_nothing_rests_on_makes_nothing_again(copy: Copy, unchanged: Mapping[str, Any]) -> None:
    # All at once, for each asks for a process; the answer is the same in every process.
    with ExitStack() as changes:
        for change in WITHOUT_CONSEQUENCE.values():
            changes.enter_context(copy.changed(change.file, change.old, change.new))
        assert copy.answer() == unchanged


@pytest.mark.parametrize(
    ("name", "attested"),
    [
        ("a check's SQL", {"colocation"}),
        ("what a check lists", {"colocation"}),
        ("rounding", STREAMS - {"sales"}),
        ("a rule of its own", {"cloud"}),
        ("how a check that warns says what to do", set()),
        ("what a check's failure stops", {"colocation"}),
        ("a setting that checks rest on", set()),
    ],
)
def test_a_sign_off_attests_the_code_of_its_own_streams(
    unchanged: Mapping[str, Any], ask: Ask, name: str, attested: set[str]
) -> None:
    assert different(unchanged["attested"], ask(name)["attested"]) == attested


def test_a_sign_off_attests_the_settings_of_checks_that_gate(unchanged: Mapping[str, Any], ask: Ask) -> None:
    assert different(unchanged["settings"], ask("a setting that checks rest on")["settings"]) == {
        "colocation",
        "bookings",
        "sales",
    }
