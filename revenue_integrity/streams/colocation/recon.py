"""Reconciliations of the stream: their sides as queries, their causes over what varies, their totals.

Belongs here: the rules of the recon tables and what each reads. Does not belong here: the engine that compares
(``close/sql/reconcile.sql.j2``), the rules of cause (``causes``), what a check demands of the results (``recon_checks``).
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import pandas as pd

from revenue_integrity import months
from revenue_integrity.close.calendar import CALENDAR_SETTINGS, cutoff
from revenue_integrity.close.causes import FAMILY_OF, LATE_POSTING, Claim, Explained, Variance, evidence_json, explain, money
from revenue_integrity.close.evidence import evidence_slice
from revenue_integrity.close.reconcile import (
    bridge_table,
    declare,
    delivered,
    result_settings,
    results_query,
    results_text,
    summary_query,
    summary_text,
)
from revenue_integrity.exact import named_rows
from revenue_integrity.model import table as column
from revenue_integrity.model.query import Query, load_query
from revenue_integrity.model.reconciliation import AS_OF_CLOSE, CURRENT, Causes, Materiality, Reconciliation, Tolerance
from revenue_integrity.model.rule import Rule, raw, raw_before, same_month, window
from revenue_integrity.streams.colocation import schemas, sources
from revenue_integrity.streams.colocation.causes import (
    CHARGE_CAUSES,
    POWER_CAUSES,
    ChargeRow,
    Due,
    KnownUsage,
    Line,
    Neighbour,
    PowerLine,
    PowerRow,
    Terms,
)
from revenue_integrity.streams.colocation.curated import METER_SETTINGS, meter_parameters
from revenue_integrity.streams.colocation.settings import ColocationSettings

_PACKAGE = "revenue_integrity.streams.colocation"

CHARGES = "erp_vs_mart"
POWER = "erp_vs_allocated_power"

_BILLED = Tolerance("tolerance_cents", "tolerance_share")

RECONCILIATIONS = declare(
    "colocation",
    _PACKAGE,
    (
        Reconciliation(
            CHARGES,
            "What the ERP billed is what the contracts say is owed, per customer, contract and charge type.",
            "ERP invoice lines",
            "expected charges",
            ("customer_id", "contract_id", "charge_type"),
            tolerance=_BILLED,
            needs=(sources.ERP_INVOICES,),
            causes=Causes(
                {
                    "late_posting": "timing",
                    "period_shift": "timing",
                    "unmapped_line": "mapping",
                    "wrong_contract": "mapping",
                    "duplicate_billing": "duplicate",
                    "credit_memo": "credit",
                    "credit_unreferenced": "credit",
                    "estimated_meter": "data",
                    "late_meter": "data",
                    "uncontracted": "missing",
                    "stale_version": "configuration",
                    "proration": "configuration",
                    "rounding": "rounding",
                    "price_mismatch": "configuration",
                    "quantity_mismatch": "configuration",
                    "unbilled": "missing",
                },
                Materiality(schemas.EXPECTED_CHARGES, "amount_cents", "expected_revenue_cents"),
                residual=("price_mismatch", "quantity_mismatch"),
                across_months=("period_shift",),
            ),
        ),
        Reconciliation(
            "power_bill_vs_allocated",
            "Every charge of every power bill is allocated to contracts or stranded, per site and charge.",
            "power bills",
            "allocated and stranded power",
            ("site_id", "charge_type"),
            views=(CURRENT,),
            needs=(sources.POWER_BILLS,),
        ),
        Reconciliation(
            POWER,
            "What accounting booked for power is what is allocated and stranded, per site.",
            "ERP power costs",
            "allocated and stranded power",
            ("site_id",),
            tolerance=_BILLED,
            needs=(sources.ERP_POWER_COSTS,),
            causes=Causes(
                {
                    "late_posting": "timing",
                    "unbooked": "missing",
                    "accrual_not_reversed": "duplicate",
                    "estimated_bill": "data",
                    "rounding": "rounding",
                },
                Materiality(schemas.POWER_ALLOCATION, "amount_cents", "power_cost_cents"),
            ),
        ),
        Reconciliation(
            "mrr_bridge",
            "The month's MRR is last month's closing and the movements, per customer.",
            "MRR of the contracts",
            "opening MRR and movements",
            ("customer_id",),
            views=(CURRENT,),
        ),
        Reconciliation(
            "metered_vs_billed_kwh",
            "The energy of a power bill is the metered energy at the recent ratio of the two, per site.",
            "billed energy",
            "metered energy at the recent ratio",
            ("site_id",),
            unit="wh",
            views=(CURRENT,),
            tolerance=Tolerance(share="kwh_tolerance_share"),
        ),
        Reconciliation(
            "population",
            "Contracts that are billed are those of which something is due, per customer and contract.",
            "contracts with ERP lines",
            "contracts with expected charges",
            ("customer_id", "contract_id"),
            unit="count",
            needs=(sources.ERP_INVOICES,),
        ),
    ),
    (
        column.text("customer_id", "The customer.", null=True),
        column.text("contract_id", "The contract; empty for lines that resolve to none.", null=True),
        column.text("site_id", "The site.", null=True),
        column.text("charge_type", "What is charged.", null=True),
    ),
)
"""The reconciliations of the stream (20-close, *Reconciliations*)."""

BRIDGE = bridge_table("colocation", lines="ERP lines")

assert RECONCILIATIONS.causes is not None
CAUSES = RECONCILIATIONS.causes


def _parameters(month: date, settings: ColocationSettings) -> dict[str, Any]:
    return {
        "month_end": months.last_day(month),
        "cutoff": cutoff(month, settings),
        "cutoff_before": cutoff(months.add(month, -1), settings),
        **meter_parameters(settings),
    }


def _query(path: str, month: date, settings: ColocationSettings) -> Query:
    return load_query(_PACKAGE, path, month=month, **_parameters(month, settings))


def recon_results(month: date, settings: ColocationSettings) -> Query:
    """Return every reconciliation of the month, row by row, in both views where it has two."""
    return results_query(RECONCILIATIONS, month, settings, accrual_months=settings.accrual_months, **_parameters(month, settings))


def close_bridge(month: date, settings: ColocationSettings) -> Query:
    """Return the month's step from what was posted by the cutoff to what is recognized, in cents."""
    return _query("recon/close_bridge", month, settings)


CAUSE_QUERIES = (
    "rows",
    "lines",
    "dues",
    "earlier_terms",
    "known_usage",
    "power_lines",
    "power_bills",
    "mappings",
)
"""What the rules of cause look at: each a query that returns only what belongs to rows with a variance."""


def cause_queries(month: date, settings: ColocationSettings) -> dict[str, Query]:
    """Return the queries whose rows ``recon_causes`` is made from."""
    return {name: _query(f"recon/causes_{name}", month, settings) for name in CAUSE_QUERIES}


class _RowKey(NamedTuple):
    customer_id: str | None
    contract_id: str | None
    charge_type: str | None


def recon_causes(
    month: date,
    settings: ColocationSettings,
    *,
    rows: pd.DataFrame,
    lines: pd.DataFrame,
    dues: pd.DataFrame,
    earlier_terms: pd.DataFrame,
    known_usage: pd.DataFrame,
    power_lines: pd.DataFrame,
    power_bills: pd.DataFrame,
    mappings: pd.DataFrame,
) -> pd.DataFrame:
    """Return the causes of every variance of the month, in both views, in cents.

    The causes of the view as of close are those of all postings, and one ``late_posting`` of the opposite amount for each
    line posted after the cutoff (20-close, *Root causes*).
    """
    known = _Rows(month, rows)
    explained: list[tuple[str, str, Explained[Any]]] = []
    charges = _charge_rows(month, known, lines, dues, earlier_terms, known_usage, mappings)
    explained += [(CHARGES, CURRENT, each) for each in explain(charges, CHARGE_CAUSES)]
    power = _power_rows(known, power_lines, power_bills)
    explained += [(POWER, CURRENT, each) for each in explain(power, POWER_CAUSES)]
    late = [
        *((CHARGES, AS_OF_CLOSE, each) for each in _late_charges(month, known, lines)),
        *((POWER, AS_OF_CLOSE, each) for each in _late_power(power)),
    ]
    as_of_close = [(recon, AS_OF_CLOSE, each) for recon, _, each in explained]
    return _frame(month, known, [*late, *as_of_close, *explained])


class _Rows:
    """The rows of the query, by what the rules ask for."""

    def __init__(self, month: date, rows: pd.DataFrame) -> None:
        self.by_key: dict[tuple[str, str, str], Any] = {}
        self.row_keys: dict[_RowKey, str] = {}
        self.charges: list[Any] = []
        self.power: list[Any] = []
        self.variances: dict[tuple[str, str], dict[date, int]] = defaultdict(dict)
        for row in named_rows(rows):
            of_month = row.month.date()
            if row.recon == CHARGES and row.view == CURRENT and row.contract_id:
                self.variances[row.contract_id, row.charge_type][of_month] = row.variance_cents
            if of_month == month:
                self.by_key[row.recon, row.view, row.row_key] = row
                if row.view == CURRENT and row.recon == CHARGES:
                    self.charges.append(row)
                if row.view == CURRENT and row.recon == POWER:
                    self.power.append(row)
                if row.recon == CHARGES:
                    self.row_keys[_RowKey(row.customer_id, row.contract_id, row.charge_type)] = row.row_key

    def status(self, recon: str, view: str, row_key: str) -> str:
        """Return how a row's variance stands; a row without one is matched."""
        row = self.by_key.get((recon, view, row_key))
        return row.status if row is not None else "matched"


def _line(row: Any) -> Line:
    return Line(
        row.month.date(),
        row.document_id,
        row.line_no,
        row.document_type == "credit_memo" or row.amount_cents < 0,
        row.erp_customer_code,
        row.erp_contract_ref,
        row.micro_quantity,
        row.micro_price,
        row.amount_cents,
        row.invoice_date.date(),
        row.posted_at,
        row.corrects_document_id,
        row.names_own_document,
        row.late,
    )


def _charge_rows(
    month: date,
    known: _Rows,
    lines: pd.DataFrame,
    dues: pd.DataFrame,
    earlier_terms: pd.DataFrame,
    known_usage: pd.DataFrame,
    mappings: pd.DataFrame,
) -> list[ChargeRow]:
    lines_of: dict[tuple[date, _RowKey], list[Line]] = defaultdict(list)
    for row in named_rows(lines):
        lines_of[row.month.date(), _RowKey(row.customer_id, row.contract_id, row.charge_type)].append(_line(row))
    dues_of: dict[tuple[str, str], list[Due]] = defaultdict(list)
    for row in named_rows(dues):
        full = None if pd.isna(row.micro_full_quantity) else int(row.micro_full_quantity)
        dues_of[row.contract_id, row.charge_type].append(
            Due(
                row.version,
                row.segment_from.date(),
                row.segment_to.date(),
                row.micro_quantity,
                row.micro_price,
                row.amount_cents,
                full,
            )
        )
    earlier_of: dict[tuple[str, str], dict[int, dict[date, Terms]]] = defaultdict(lambda: defaultdict(dict))
    for row in named_rows(earlier_terms):
        terms = Terms(row.micro_quantity, row.micro_price, row.amount_cents)
        earlier_of[row.contract_id, row.charge_type][row.earlier_version][row.segment_from.date()] = terms
    usage_of = {
        (row.contract_id, row.charge_type): KnownUsage(
            row.known_on.date(), row.amount_cents, row.changed_days, row.changed_estimates, json.loads(row.readings)
        )
        for row in named_rows(known_usage)
    }
    ended = _mapping_rows(mappings)
    found = []
    for row in known.charges:
        key = _RowKey(row.customer_id, row.contract_id, row.charge_type)
        of_contract = (row.contract_id, row.charge_type)
        around = {
            other: Neighbour(other, cents, tuple(lines_of.get((other, key), ())))
            for other, cents in known.variances.get(of_contract, {}).items()
            if other != month
        }
        found.append(
            ChargeRow(
                row.row_key,
                row.variance_cents,
                month,
                row.customer_id,
                row.contract_id,
                row.charge_type,
                lines=lines_of.get((month, key), []),
                dues=dues_of.get(of_contract, []),
                earlier=earlier_of.get(of_contract, {}),
                known=usage_of.get(of_contract),
                neighbours=around,
                mappings=ended,
            )
        )
    return found


def _mapping_rows(mappings: pd.DataFrame) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return mapping rows that there are for an ERP code and reference, whose validity does not hold in the month."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in named_rows(mappings):
        found[row.erp_customer_code, row.erp_contract_ref].append(
            {
                "contract_id": row.contract_id,
                "valid_from": f"{row.valid_from:%Y-%m-%d}",
                "valid_to": None if pd.isna(row.valid_to) else f"{row.valid_to:%Y-%m-%d}",
            }
        )
    return found


def _power_rows(known: _Rows, power_lines: pd.DataFrame, power_bills: pd.DataFrame) -> list[PowerRow]:
    lines_of: dict[str, list[PowerLine]] = defaultdict(list)
    for row in named_rows(power_lines):
        lines_of[row.site_id].append(PowerLine(row.document_id, row.line_no, row.document_type, row.amount_cents, row.late))
    bills = {row.site_id: "accrued" if row.is_accrued else row.status for row in named_rows(power_bills)}
    return [
        PowerRow(
            row.row_key,
            row.variance_cents,
            row.site_id,
            lines=lines_of.get(row.site_id, []),
            bill_status=bills.get(row.site_id, ""),
        )
        for row in known.power
    ]


def _late_charges(month: date, known: _Rows, lines: pd.DataFrame) -> Iterator[Explained[Variance]]:
    for row in named_rows(lines[lines["late"]]):
        if row.month.date() != month or not row.amount_cents:
            continue
        key = known.row_keys.get(_RowKey(row.customer_id, row.contract_id, row.charge_type))
        key = key or json.dumps(
            [row.customer_id, row.contract_id, None, row.charge_type], separators=(",", ":"), ensure_ascii=False
        )
        line = _line(row)
        name = f"Line {line.line_no} of {line.document_id} ({money(line.cents)})"
        sentence = f"{name} was posted {line.posted_at:%Y-%m-%d}, after the cutoff."
        yield _late(key, line.cents, sentence, line.evidence)


def _late_power(rows: Sequence[PowerRow]) -> Iterator[Explained[Variance]]:
    for row in rows:
        for line in row.lines:
            if line.late and line.cents:
                sentence = (
                    f"{line.document_type.capitalize()} {line.document_id} ({money(line.cents)}) was posted after the cutoff."
                )
                yield _late(row.row_key, line.cents, sentence, line.evidence)


def _late(row_key: str, cents: int, sentence: str, evidence: Mapping[str, Any]) -> Explained[Variance]:
    return Explained(LATE_POSTING, Claim(Variance(row_key, 0), -cents, sentence, {"lines": [evidence]}))


def _frame(month: date, known: _Rows, explained: Sequence[tuple[str, str, Explained[Any]]]) -> pd.DataFrame:
    numbers: dict[tuple[str, str, str], int] = defaultdict(int)
    records = []
    for recon, view, each in explained:
        key = each.claim.row.row_key
        numbers[recon, view, key] += 1
        customer_id, contract_id, site_id, charge_type = json.loads(key)
        records.append(
            {
                "month": pd.Timestamp(month),
                "recon": recon,
                "view": view,
                "row_key": key,
                "customer_id": customer_id,
                "contract_id": contract_id,
                "site_id": site_id,
                "charge_type": charge_type,
                "cause_no": numbers[recon, view, key],
                "family": FAMILY_OF[each.label],
                "cause": each.label,
                "cause_cents": each.claim.cents,
                "link_id": each.claim.link_id,
                "status": known.status(recon, view, key),
                "evidence": evidence_json(each.claim.evidence),
                "explanation": each.claim.explanation,
            }
        )
    frame = pd.DataFrame(records, columns=CAUSES.columns)
    dtypes = {"month": "datetime64[us]", "cause_no": "int64", "cause_cents": "int64"}
    return frame.astype(dtypes).astype({name: object for name in frame.columns if name not in dtypes})


def recon_summary(month: date, settings: ColocationSettings) -> Query:
    """Return each reconciliation and view in total, with the cents of each cause."""
    return summary_query(RECONCILIATIONS, month)


_RESULT_READS = (
    same_month("curated", "invoice_lines"),
    same_month("curated", "contract_terms"),
    same_month("curated", "meter_daily"),
    same_month("curated", "power_bills"),
    same_month("mart", "expected_charges"),
    same_month("mart", "power_allocation"),
    same_month("mart", "contract_month"),
    same_month("mart", "mrr_movements"),
    raw("contract_versions"),
    raw("sites"),
    raw("erp_power_costs"),
    raw_before("power_bills", None),
    raw_before("meter_readings", None),
    raw("meter_starts"),
    *delivered(RECONCILIATIONS),
)

RULES = (
    Rule(
        RECONCILIATIONS.results,
        recon_results,
        _RESULT_READS,
        (*result_settings(RECONCILIATIONS), "accrual_months", *CALENDAR_SETTINGS, *METER_SETTINGS),
        (results_text(RECONCILIATIONS),),
    ),
    Rule(
        BRIDGE,
        close_bridge,
        (raw("erp_invoices"), raw("earlier_months_postings")),
        CALENDAR_SETTINGS,
        ("recon/close_bridge",),
    ),
    Rule(
        CAUSES,
        recon_causes,
        (
            window("recon", "recon_results", months_before=2, months_after=2),
            window("curated", "invoice_lines", months_before=1, months_after=1),
            same_month("curated", "contract_terms"),
            same_month("curated", "meter_daily"),
            same_month("curated", "power_bills"),
            same_month("mart", "expected_charges"),
            raw("contract_versions"),
            raw("meter_readings"),
            raw_before("meter_readings"),
            raw("meter_starts"),
            raw("erp_mapping"),
            raw("erp_power_costs"),
            raw("erp_invoices"),
            raw("corrected_documents"),
        ),
        (*CALENDAR_SETTINGS, *METER_SETTINGS),
        tuple(f"recon/causes_{name}" for name in CAUSE_QUERIES),
        cause_queries,
    ),
    Rule(
        RECONCILIATIONS.summary,
        recon_summary,
        (
            same_month("recon", "recon_results"),
            same_month("recon", "recon_causes"),
            same_month("curated", "invoice_lines"),
            same_month("curated", "power_bills"),
            raw("erp_control_totals"),
            raw("erp_power_costs"),
            raw(evidence_slice("colocation")),
        ),
        sql=(summary_text(RECONCILIATIONS),),
    ),
)
