"""Checks that a deployment's settings ask for, beside those that a stream declares: its own rules, and what is due.

Belongs here: making them, the same for every stream. Does not belong here: what a rule is (``model.data_rules``), what is overdue
now (``landing.due``: a month's check tells what fell due in the month).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache

import pandas as pd

from revenue_integrity import clock, months
from revenue_integrity.close.judgement import decided_by
from revenue_integrity.errors import SettingsError
from revenue_integrity.landing.datasets import batches_table
from revenue_integrity.landing.due import DELIVERIES_ARE_IN_TIME, deadlines
from revenue_integrity.model.check import SAMPLE_ROWS, Check, Control, Gate, Judge, Judgement, Limit, Reader
from revenue_integrity.model.data_rules import bad_of, marker, reason_of, words_of
from revenue_integrity.model.query import Query, Sql, Template, load_query
from revenue_integrity.model.source import Source, raw_table
from revenue_integrity.model.stage import ScannedFile
from revenue_integrity.model.stream import Stream
from revenue_integrity.settings import DataRule, Settings
from revenue_integrity.warehouse.scanning import scan_sql

_PACKAGE = "revenue_integrity.close"
_BROKEN = (Limit("rows_that_break_it"),)


def under_settings(stream: Stream, settings: Settings) -> Stream:
    """Return a stream with the checks that the settings of its home ask for; the stream itself where they ask for none.

    Raises:
        SettingsError: they name a source or column that there is not, or a check that the stream has.
    """
    own = f"{stream.name}."
    rules = tuple((name, given) for name, given in sorted(settings.data_rules.items()) if name.startswith(own) and given)
    due = tuple((name, every) for name, every in sorted(settings.expected_every.items()) if name.startswith(own))
    return _with_checks(stream.name, rules, due, _Held(stream)) if rules or due else stream


class _Held:
    """A stream as the key of a cache: what it declares is not hashed anew each time."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def __hash__(self) -> int:
        return id(self.stream)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.stream is self.stream


@lru_cache(maxsize=64)
def _with_checks(
    name: str, rules: Sequence[tuple[str, Sequence[DataRule]]], due: Sequence[tuple[str, str]], held: _Held
) -> Stream:
    stream = held.stream
    sources = {f"{name}.{source.name}": source for source in stream.sources}
    for setting, given in (("data_rules", rules), ("expected_every", due)):
        if unknown := [each for each, _ in given if each not in sources]:
            raise SettingsError(f"{setting}: there is no source {unknown[0]}", f"Sources: {', '.join(sources)}")
    made = [_check(sources[source], rule) for source, of_source in rules for rule in of_source]
    taken = {(check.table.qualified, check.name) for check in stream.checks}
    if twice := [check.name for check in made if (check.table.qualified, check.name) in taken]:
        raise SettingsError(f"data_rules: the stream {name} has a check {twice[0]}", "Give the rule another name")
    return replace(stream, checks=(*stream.checks, *made, *([_in_time(stream)] if due else [])))


def _check(source: Source, rule: DataRule) -> Check:
    """Return the check of a rule: which rows it refused, or, where it only warns, which rows that stand break it."""
    if rule.action == "refuse":
        step = f"Correct the rows that it refused in their source and land them again: {rule.because}."
        judge = _refused(source, rule, step)
    elif source.is_kept_in_files:
        judge = _of_log(source, rule, f"Look at the rows listed: {rule.because}.")
    else:
        given = (("source", source), ("bad", bad_of(source, rule)))
        verdict = Sql(_PACKAGE, Template("checks/data_rule", given))
        listed = Sql(_PACKAGE, Template("checks/data_rule_rows", (*given, ("reason", reason_of(source, rule)))))
        judge = decided_by(verdict, listed, f"Look at the rows listed: {rule.because}.", lists="offenders")
    return Check(
        rule.name,
        raw_table(source),
        Gate.WARN,
        f"Rule of the deployment: {rule.column} {words_of(rule)}, because {rule.because}.",
        judge,
        control=Control(f"A rule of the deployment is broken: {rule.because}.", "`data_rules`, `quarantine`", "data operations"),
        settings=("data_rules",),
        limits=_BROKEN,
    )


def _refused(source: Source, rule: DataRule, step: str) -> Judge:
    verdict, listed = Sql(_PACKAGE, "checks/refused_by_rule"), Sql(_PACKAGE, "checks/refused_by_rule_rows")
    given = {"stream": source.stream, "source": source.name, "mark": marker(rule)}

    def judge(reader: Reader, month: date, settings: Settings) -> Judgement:
        count = int(reader.rows(verdict.query(month=month, **given))["rows_that_break_it"].iloc[0])
        rows = reader.rows(listed.query(month=month, **given)).head(SAMPLE_ROWS) if count else None
        return Judgement(not count, {"rows_that_break_it": count}, rows, step if count else "")

    return judge


def _of_log(source: Source, rule: DataRule, step: str) -> Judge:
    """Return the judge of a rule over rows that stay in files: those of the month's days are read."""
    assert source.events is not None
    log = source.events.log
    stored = next(column.stored for column in source.columns if rule.column.strip().lower() in (column.name, column.stored))
    if stored not in log.types:
        where = f"data_rules, {source.stream}.{source.name}, {rule.name}"
        raise SettingsError(
            f"{where}: {stored} is not kept with the rows, so that nobody can warn of it", 'Say action = "refuse"'
        )
    bad, reason, day, types = bad_of(source, rule), reason_of(source, rule), log.day, tuple(log.types.items())
    files_of = Sql(_PACKAGE, Template("checks/files_of_month", (("log", log.schema), ("day", day))))
    refused, name = f"{log.schema}.refused", source.name

    def judge(reader: Reader, month: date, settings: Settings) -> Judgement:
        span = {"month": month, "month_end": months.last_day(month), "source": name}
        files = reader.rows(load_query(files_of.package, files_of.path, **span))
        scanned = tuple(
            ScannedFile(int(number), settings.home / path, projection)
            for number, path, projection in files[["file_no", "path", "projection"]].itertuples(index=False)
        )
        if not scanned:
            return Judgement(True, {"rows_that_break_it": 0})
        rows = f"""
            from ({scan_sql(scanned, dict(types))}) as e
            anti join {refused} as h on e.file_no = h.file_no and e.row_number = h.row_number
            where e."{day}" between $month and $month_end and ({bad})
        """
        count = int(reader.rows(Query(f"select count(*) as found {rows}", span))["found"].iloc[0])
        listed = f"select e.file_no, e.row_number, {reason} as breaks {rows} order by e.file_no, e.row_number limit {SAMPLE_ROWS}"
        sample = reader.rows(Query(listed, span)).merge(files[["file_no", "batch_id", "file_name"]]) if count else None
        shown = None if sample is None else sample[["batch_id", "file_name", "row_number", "breaks"]]
        return Judgement(not count, {"rows_that_break_it": count}, shown, step if count else "")

    return judge


def _in_time(stream: Stream) -> Check:
    """Return the check that deliveries of sources with ``expected_every`` came when they were due in the month."""
    asked, name = Sql(_PACKAGE, "checks/arrivals"), stream.name

    def judge(reader: Reader, month: date, settings: Settings) -> Judgement:
        came = reader.rows(asked.query(stream=name))
        arrivals = {str(source): [each.to_pydatetime() for each in rows] for source, rows in came.groupby("source")["arrival"]}
        found = [each for each in deadlines(name, arrivals, settings, clock.now()) if each.due_at.date().replace(day=1) == month]
        late, missing = (sum(each.is_missing is state for each in found if each.is_late) for state in (False, True))
        figures = {"deliveries_due": len(found), "deliveries_late": late, "deliveries_missing": missing}
        rows = [each.plain for each in found if each.is_late]
        step = "Ask whoever delivers the sources listed; what they deliver is read by itself." if rows else ""
        return Judgement(not rows, figures, pd.DataFrame(rows[:SAMPLE_ROWS]) if rows else None, step)

    return Check(
        DELIVERIES_ARE_IN_TIME,
        batches_table(stream.name),
        Gate.WARN,
        "Every source for which expected_every is set had delivered when its next delivery was due in the month.",
        judge,
        control=Control("A delivery is late or missing, and nobody notices.", "`batches`: `arrival`", "data operations"),
        settings=("expected_every", "expected_grace", "first_month"),
        limits=(Limit("deliveries_late"), Limit("deliveries_missing")),
    )
