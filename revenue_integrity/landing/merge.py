"""One source: new rows, and the stored rows that they stir up, go into its store.

Belongs here: judgement by references, resolution of versions, the counts that change. Does not belong here: reading files
(``reading``), the manifest and the order of sources (``ingest``).

Every statement is set-based. Temporary tables that live for one ingestion begin with ``landing_``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from revenue_integrity.landing.values import name, quote
from revenue_integrity.model.source import LINEAGE, STATUS, DayFacts, Lookup, Source

_LARGE = 200_000
"""Rows from which a file is worth a branch of its own; ``_LARGE_FILES`` bounds how many branches there are."""

_LARGE_FILES = 16

DELTA = ("loaded", "corrections", "quarantined", "duplicates", "replaced")
"""Counts of a batch and month that a merge adds to and takes from."""


def create_delta(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``landing_delta``, the table of what was added to and taken from the counts of each batch and month."""
    counts = ", ".join(f"{count} BIGINT" for count in DELTA)
    connection.execute(f"create or replace temp table landing_delta (batch_id VARCHAR, month DATE, {counts})")


def remake_lookup(connection: duckdb.DuckDBPyConnection, kept: str, lookup: Lookup) -> bool:
    """Make a look-up again in its table, note which keys changed in ``landing_changed_<lookup>``, and tell whether any did."""
    fresh, changed = "landing_lookup", f"landing_changed_{lookup.name}"
    connection.execute(f"create or replace temp table {fresh} as {lookup.sql}")
    connection.execute(f"""
        create or replace temp table {changed} as
        select distinct {lookup.key} as key
        from ((from {fresh} except from {kept}) union all (from {kept} except from {fresh}))
    """)
    if not _count(connection, changed):
        return False
    connection.execute(f"delete from {kept}")
    connection.execute(f"insert into {kept} from {fresh}")
    return True


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"select count(*) from {relation}").fetchall()[0][0])


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes:
        changed: whether loaded rows may have changed.
        months: the service months of these rows.
        healed: rows that left quarantine.
        refused: rows loaded before that went to quarantine.
    """

    changed: bool = False
    months: frozenset[date] = frozenset()
    healed: int = 0
    refused: int = 0


class Merge:
    """Puts the staged rows of one source into its store, inside the connection's transaction.

    If rows are staged, ``staged_<source>`` holds them and ``landing_files_<source>`` the files whose rows count.
    ``landing_changed_<lookup>`` holds the changed keys of each changed look-up.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: Source,
        *,
        staged: bool,
        changed_lookups: Iterable[str],
        withdrawn: Sequence[str] = (),
    ) -> None:
        """Prepare one merge; ``withdrawn`` are batches whose stored rows count no more."""
        self._connection = connection
        self._source = source
        self._staged = staged
        self._withdrawn = list(withdrawn)
        self._changed = sorted({r.lookup.name for r in source.references} & set(changed_lookups))
        self._raw = f"raw.{source.dataset}"
        self._held = f"meta.held_{source.dataset}"
        self._row = ", ".join([*map(name, source.values), *LINEAGE])
        refused = [name(each) if source.refused_in_month or each != "month" else "cast(null as DATE)" for each in source.values]
        self._refused_row = ", ".join([*refused, *LINEAGE])
        self._key = ", ".join(map(name, source.key))
        # What is resolved together: all keys of a record that a row may speak for at once.
        self._claimed = ", ".join(map(name, source.versions.record or source.key))
        self._month = "month" if source.has_month else "cast(null as DATE) as month"
        self._stored = self._any(self._raw) or self._any(self._held)

    def run(self) -> Merged:
        """Do all of it and tell what was done."""
        if not self._staged and not self._withdrawn and not (self._changed and self._stored):
            return Merged()
        self._open()
        self._take_out_withdrawn()
        if self._source.anchor:
            self._take_back_groups()
        elif self._changed and self._stored:
            self._take_back_referring()
        self._judge()
        self._find_contested()
        self._resolve()
        self._store()
        self._keep_starts()
        return self._merged()

    def _execute(self, sql: str) -> None:
        self._connection.execute(sql)

    def _any(self, relation: str) -> bool:
        return _count(self._connection, f"(select 1 from {relation} limit 1)") > 0

    def _make(self, table: str, sql: str) -> int:
        """Make a temporary table and return its number of rows."""
        self._execute(f"create or replace temp table landing_{table} as {sql}")
        return _count(self._connection, f"landing_{table}")

    # Taking part

    def _open(self) -> None:
        """Show the new rows with their lineage; make the tables for what is taken back."""
        again = f"select {self._row}, static_errors, raw, '' as was from {self._held} where false"
        self._make("again", again)
        self._make("standing", again)
        self._make("gone", again)
        self._execute("create or replace temp table landing_touched (month DATE)")
        if self._staged:
            self._show_new(self._staged_rows())
        else:
            self._show_new(
                f"select {self._row}, static_errors, raw, cast(0 as BIGINT) as staged_row from {self._held} where false"
            )

    def _staged_rows(self) -> str:
        """Return SQL for the staged rows with their lineage: literals for each large file, a join for all others.

        Literals stay constant vectors down to the store; joined text is copied row by row.
        """
        source = self._source
        large = self._connection.execute(f"""
            select f, batch_id, arrival::VARCHAR, file_name, first_row from landing_files_{source.name}
            where rows >= {_LARGE} order by rows desc, f limit {_LARGE_FILES}
        """).fetchall()
        values = ", ".join(f"s.{name(column)}" for column in source.values)
        more = "s.static_errors, s.raw, s.rowid as staged_row"
        parts = [
            f"""
            select {values}, {quote(batch_id)} as batch_id, TIMESTAMPTZ {quote(arrival)} as arrival,
                {quote(file_name)} as file_name, s.rowid - {first_row} + 1 as row_number, {more}
            from staged_{source.name} as s where s.f = {f}
            """
            for f, batch_id, arrival, file_name, first_row in large
        ]
        others = ", ".join(str(f) for f, *_ in large) or "-1"
        parts.append(f"""
            select {values}, files.batch_id, files.arrival, files.file_name, s.rowid - files.first_row + 1 as row_number, {more}
            from staged_{source.name} as s
            inner join landing_files_{source.name} as files on files.f = s.f
            where s.f not in ({others})
        """)
        return " union all ".join(parts)

    def _show_new(self, sql: str) -> None:
        self._execute(f"create or replace temp view landing_new as {sql}")

    def _take(self, into: str, raw_rows: str, held_rows: str) -> None:
        """Take rows out of the store and out of its counts.

        ``raw_rows`` and ``held_rows`` are the SQL that follows ``from <table> as kept``: a join or a condition.
        """
        if self._make("rows", f"select kept.rowid as row from {self._raw} as kept {raw_rows}"):
            these = f"{self._raw} where rowid in (select row from landing_rows)"
            self._execute(f"insert into landing_{into} select {self._row}, null, null, 'loaded' from {these}")
            self._note_loaded(these, -1)
            self._execute(f"delete from {these}")
        if self._make("rows", f"select kept.rowid as row from {self._held} as kept {held_rows}"):
            these = f"{self._held} where rowid in (select row from landing_rows)"
            was = "case when is_duplicate then 'duplicate' else 'quarantined' end"
            self._execute(f"insert into landing_{into} select {self._row}, static_errors, raw, {was} from {these}")
            self._note_held(these, -1)
            self._execute(f"delete from {these}")

    def _note_loaded(self, relation: str, sign: int) -> None:
        """Count rows that come into or go out of the raw table."""
        if self._source.has_month:
            self._execute(f"insert into landing_touched select distinct month from {relation}")
        self._execute(f"""
            insert into landing_delta
            select batch_id, {self._month}, {sign} * count(*), {sign} * count(corrects), 0, 0, 0 from {relation} group by all
        """)
        self._execute(f"""
            insert into landing_delta
            select superseded_by, {self._month}, 0, 0, 0, 0, {sign} * count(*)
            from (select * from {relation}) where superseded_by is not null group by all
        """)

    def _note_held(self, relation: str, sign: int) -> None:
        """Count rows that come into or go out of the held table."""
        self._execute(f"""
            insert into landing_delta
            select batch_id, {self._month}, 0, 0, {sign} * count(*) filter (not is_duplicate),
                {sign} * count(*) filter (is_duplicate), 0
            from {relation} group by all
        """)

    def _take_out_withdrawn(self) -> None:
        """Take the rows of withdrawn batches out for good; what they had replaced is resolved again without them."""
        if self._withdrawn:
            these = f"where batch_id in ({', '.join(map(quote, self._withdrawn))})"
            self._take("gone", these, these)

    def _refers_to_change(self) -> str:
        refers = [
            f"{name(reference.column)} in (select key from landing_changed_{reference.lookup.name})"
            for reference in self._source.references
            if reference.lookup.name in self._changed
        ]
        return f"({' or '.join(refers) or 'false'})"

    def _take_back_groups(self) -> None:
        """Take back all rows of the groups that come up, for their first row may have changed; new rows go the same way."""
        anchor = self._source.anchor
        assert anchor is not None
        group, changed = name(anchor.group), self._refers_to_change()
        self._make(
            "groups",
            f"""
            select distinct {group} from landing_new
            union select distinct {group} from landing_gone
            union select distinct {group} from {self._raw} where {changed}
            union select distinct {group} from {self._held} where {changed}
            """,
        )
        inside = f"semi join landing_groups using ({group})"
        self._take("again", inside, inside)
        # A row without its group's name is bad on its own, and judged again for the sake of its other reasons.
        self._take("again", "where false", f"where {group} is null and {changed}")
        self._execute(f"insert into landing_again select {self._row}, static_errors, raw, 'new' from landing_new")
        self._show_new(f"select {self._row}, static_errors, raw, cast(0 as BIGINT) as staged_row from {self._held} where false")

    def _take_back_referring(self) -> None:
        """Take back quarantined rows whose look-up changed, and stored rows that a changed look-up now refuses."""
        changed = self._refers_to_change()
        loaded = f"select {self._row}, rowid as row, true as is_loaded from {self._raw} where {changed}"
        duplicates = f"select {self._row}, rowid as row, false as is_loaded from {self._held} where is_duplicate and {changed}"
        self._make("suspects", f"{loaded} union all {duplicates}")
        joins = self._joins("landing_suspects")
        self._make("refused", f"select r.row, r.is_loaded from landing_suspects as r {joins} where {self._bad()}")
        self._take(
            "again",
            "where rowid in (select row from landing_refused where is_loaded)",
            f"where rowid in (select row from landing_refused where not is_loaded) or (not is_duplicate and {changed})",
        )

    # Judging

    def _joins(self, rows: str) -> str:
        """Return the joins of the row ``r`` with its look-ups, after making the one of the rows at hand."""
        facts = self._source.day_facts
        joins = [
            f"left join {self._source.lookup_table(r.lookup)} as {r.lookup.name}"
            f" on {r.lookup.name}.{r.lookup.key} = r.{name(r.column)}"
            for r in self._source.references
        ]
        if facts:
            self._make_day_facts(facts, rows)
            on = " and ".join(f"{facts.name}.{column} = r.{column}" for column in facts.on)
            joins.append(f"left join landing_day_facts as {facts.name} on {on}")
        return " ".join(joins)

    def _make_day_facts(self, facts: DayFacts, rows: str) -> None:
        self._execute(f"create or replace temp view judged_rows as select {', '.join(facts.on)} from {rows}")
        self._make("day_facts", facts.sql)

    def _bad(self) -> str:
        return " or ".join(f"coalesce({rule.bad}, false)" for rule in self._source.reference_rules) or "false"

    def _reasons(self) -> str:
        cases = [f"case when {rule.bad} then {rule.reason} end" for rule in self._source.reference_rules]
        return f"nullif(concat_ws('; ', {', '.join(cases or ['null'])}), '')"

    def _judge(self) -> None:
        joins = self._joins("landing_new")
        self._failed = self._make(
            "failed",
            f"""
            select r.staged_row, {self._reasons()} as reference_errors
            from landing_new as r {joins}
            where r.static_errors is not null or {self._bad()}
            """,
        )
        joins = self._joins("landing_again")
        self._make("judged", f"select r.*, {self._reasons()} as reference_errors from landing_again as r {joins}")
        if self._source.anchor:
            self._judge_by_anchor()

    def _judge_by_anchor(self) -> None:
        anchor = self._source.anchor
        assert anchor is not None
        fixed, group = [name(column) for column in anchor.fixed], name(anchor.group)
        first = ", ".join(f"{column} := {column}" for column in fixed)
        order = ", ".join(map(name, anchor.order))
        differs = " or ".join(f"r.{column} <> anchor.{column}" for column in fixed)
        self._make(
            "anchors",
            f"""
            select {group}, unnest(first)
            from (
                select {group}, arg_min(struct_pack({first}), row({order})) as first
                from landing_judged
                where static_errors is null and reference_errors is null
                group by {group}
            )
            """,
        )
        self._make(
            "judged",
            f"""
            select r.* replace (
                nullif(concat_ws('; ', r.reference_errors, case when {differs} then {anchor.reason} end), '') as reference_errors
            )
            from landing_judged as r
            left join landing_anchors as anchor on anchor.{group} = r.{group}
            """,
        )

    # Versions

    def _find_contested(self) -> None:
        """Find the keys that more than one row claims, or that must be resolved again; all others need no window."""
        key = self._claimed
        good = "anti join landing_failed using (staged_row)" if self._failed else ""
        self._execute(f"create or replace temp view landing_good as select * from landing_new {good}")
        parts = [
            f"select {key} from landing_good group by all having count(*) > 1{self._several_objects()}",
            f"select {key} from landing_judged where static_errors is null and reference_errors is null",
            f"select {key} from landing_again where was in ('loaded', 'duplicate')",
            f"select {key} from landing_gone where was in ('loaded', 'duplicate')",
        ]
        if self._stored and self._staged:
            bounds = self._bounds()
            parts += [
                f"select {key} from (select {key} from {self._raw} where {bounds}) semi join landing_good using ({key})",
                f"""select {key} from (select {key} from {self._held} where is_duplicate and {bounds})
                    semi join landing_good using ({key})""",
            ]
        self._contested = self._make("contested", " union ".join(f"({part})" for part in parts))
        if self._contested and self._stored:
            inside = f"semi join landing_contested using ({key})"
            self._take("standing", inside, f"{inside} where is_duplicate")

    def _several_objects(self) -> str:
        """Return the further condition for keys that are claimed more than once, where one object may have rows of several."""
        if not self._source.versions.record:
            return ""
        stated = f"row(batch_id, file_name, row_number - {name(self._source.part('place'))})"
        return f" and min({stated}) is distinct from max({stated})"

    def _bounds(self) -> str:
        """Return a filter by the days of the new rows, with which the engine skips most of a large store."""
        bounds = []
        for column in self._source.key:
            if self._source.sql_type(column) == "DATE":
                low, high = self._connection.execute(
                    f"select min({name(column)})::VARCHAR, max({name(column)})::VARCHAR from landing_good"
                ).fetchall()[0]
                if low is not None:
                    bounds.append(f"{name(column)} between DATE '{low}' and DATE '{high}'")
        return " and ".join(bounds) or "true"

    def _resolve(self) -> None:
        """Resolve the versions of the contested keys: duplicates, corrections, and who survives."""
        versions, key = self._source.versions, self._key
        if versions.record:
            self._resolve_records()
            return
        group = ", ".join([key, *map(name, versions.within)])
        order = ", ".join(map(name, versions.ordering))
        latest = ", ".join(
            [*([f"{versions.prefer} desc"] if versions.prefer else []), *(f"{name(c)} desc" for c in versions.ordering)]
        )
        self._make(
            "resolved",
            f"""
            with claims as (
                {self._claims()}
            ),
            compared as (
                {self._compared(group, order)}
            ),
            placed as (
                select
                    {self._row},
                    lag(batch_id) over each_group as before_it,
                    lead(batch_id) over each_group as after_it,
                    first_value(batch_id) over latest_first as winner,
                    row_number() over latest_first as place
                from compared
                where not is_duplicate
                window
                    each_group as (partition by {group} order by {order}),
                    latest_first as (partition by {key} order by {latest})
            )
            select
                {self._row},
                case when place = 1 then 'surviving' else 'superseded' end as row_status,
                case when place > 1 then coalesce(after_it, winner) end as superseded_by,
                before_it as corrects,
                false as is_duplicate
            from placed
            union all
            select {self._row}, null, null, null, true from compared where is_duplicate
            """,
        )

    def _claims(self) -> str:
        return f"""
            select {self._row} from landing_good semi join landing_contested using ({self._claimed})
            union all select {self._row} from landing_judged where static_errors is null and reference_errors is null
            union all select {self._row} from landing_standing
        """

    def _compared(self, group: str, order: str) -> str:
        """Return SQL for the claims, and whether each says what stood before it."""
        source, window = self._source, f"(partition by {group} order by {order})"
        if not source.versions.partial:
            content = f"row({', '.join(map(name, source.stored))})"
            return f"select *, lag({content}) over {window} is not distinct from {content} as is_duplicate from claims"
        # A column that a row does not have keeps what stood.
        told = f"string_split({name(source.part('told'))}, ',')"
        states = []
        for column in source.columns:
            if column.stored in source.said and column.is_in_files and column.stored not in source.key:
                has = "true" if column.stored == source.versions.instant else f"list_contains({told}, {quote(column.name)})"
                said = f"case when {has} then row({name(column.stored)}) end"
                states.append(f"last_value({said} ignore nulls) over {window[:-1]} rows unbounded preceding)")
        stood = ", ".join(f"{state} as stood_{place}" for place, state in enumerate(states))
        state = f"row({', '.join(f'stood_{place}' for place in range(len(states)))})"
        return f"""
            select *, row_number() over {window} > 1 and lag({state}) over {window} is not distinct from {state} as is_duplicate
            from (select *, {stood} from claims)
        """

    def _resolve_records(self) -> None:
        """Resolve the versions of records of several keys: a row speaks for its key, or for all that stood of its record.

        What follows the last one that speaks for all counts, key by key. Both orders are total: that of arrival tells what was
        said again, that of the record's own instant what stands.
        """
        source, versions, key, record = self._source, self._source.versions, self._key, self._claimed
        whole, place = name(source.part("whole")), name(source.part("place"))
        said = f"row({', '.join(map(name, source.said))})"
        stated = "batch_id, file_name, object_at"
        each_key = f"partition by {key} order by arrival, file_name, object_at"
        self._make("claims", f"select *, {said} as said, row_number - {place} as object_at from ({self._claims()})")
        # The last word before each row about its key alone: another row of the key, or what was said of all of the record.
        self._make(
            "said_again",
            f"""
            with objects as (select distinct {record}, arrival, {stated} from landing_claims where {whole}),
            keys as (select distinct {key} from landing_claims where not {whole}),
            words as (
                select {key}, arrival, {stated}, false as of_all, said from landing_claims where not {whole}
                union all
                select {key}, arrival, {stated}, true, claims.said
                from keys
                inner join objects using ({record})
                left join (select {key}, {stated}, said from landing_claims where {whole}) as claims using ({key}, {stated})
            )
            select {stated}
            from (
                select
                    *, row_number() over ({each_key}) > 1 and lag(said) over ({each_key}) is not distinct from said as again
                from words
            )
            where again and not of_all
            """,
        )
        each_record = f"partition by {record} order by arrival, file_name, object_at"
        self._make(
            "repeated",
            f"""
            with objects as (
                select {record}, arrival, {stated}, bool_or({whole}) as of_all, list(said order by said) as said
                from landing_claims anti join landing_said_again using ({stated})
                group by all
            )
            select {stated} from landing_said_again
            union all
            select {stated}
            from (
                select
                    *, of_all and lag(of_all) over ({each_record}) and lag(said) over ({each_record}) is not distinct from said
                        as again
                from objects
            )
            where again
            """,
        )
        instant = f"coalesce({name(versions.instant)}, arrival)" if versions.instant else "arrival"
        order = f"{instant}, arrival, file_name, object_at"
        self._make(
            "resolved",
            f"""
            with counting as (
                select
                    *, dense_rank() over (partition by {record} order by {order}) as version
                from landing_claims anti join landing_repeated using ({stated})
            ),
            placed as (
                select
                    *, lag(batch_id) over (partition by {key} order by version) as before_it,
                    lead(batch_id) over (partition by {key} order by version) as after_it,
                    max(case when {whole} then version end) over (partition by {record}) as last_of_all,
                    max(case when {whole} then row(version, batch_id) end) over (partition by {record}) as last_word
                from counting
            )
            select
                {self._row},
                case when after_it is null and version >= coalesce(last_of_all, 0) then 'surviving' else 'superseded' end
                    as row_status,
                case when after_it is not null or version < last_of_all
                    then coalesce(after_it, struct_extract(last_word, 2)) end as superseded_by,
                before_it as corrects,
                false as is_duplicate
            from placed
            union all
            select {self._row}, null, null, null, true from landing_claims semi join landing_repeated using ({stated})
            """,
        )

    # Storing

    def _store(self) -> None:
        """Put everything where it belongs; never by an insert without rows.

        In DuckDB 2.0.0 an insert of no rows followed by one of more than 122,880 rows in the same transaction leaves wrong
        statistics on columns that are null throughout, and queries that read such a column lose rows.
        """
        key = self._claimed
        alone = f"anti join landing_contested using ({key})" if self._contested else ""
        self._execute(f"""
            create or replace temp view landing_clean as
            select
                {self._row}, 'surviving' as row_status,
                cast(null as VARCHAR) as superseded_by, cast(null as VARCHAR) as corrects
            from landing_good {alone}
        """)
        for rows in ("landing_clean", "landing_resolved where not is_duplicate"):
            if self._any(rows):
                columns = f"{self._row}, {', '.join(STATUS)}"
                self._execute(f"insert into {self._raw} ({columns}) select {columns} from {rows}")
                self._note_loaded(rows, 1)
        held = f"{self._row}, is_duplicate, static_errors, reference_errors, raw"
        for rows in (
            f"(select {self._row}, is_duplicate, null, null, null from landing_resolved where is_duplicate)",
            f"""(select {self._refused_row}, false, static_errors, reference_errors, raw
                from landing_new inner join landing_failed using (staged_row))""",
            f"""(select {self._refused_row}, false, static_errors, reference_errors, raw
                from landing_judged where static_errors is not null or reference_errors is not null)""",
        ):
            if self._make("held", f"select * from {rows} as held ({held})"):
                self._execute(f"insert into {self._held} ({held}) select {held} from landing_held")
                self._note_held("landing_held", 1)

    def _keep_starts(self) -> None:
        """Keep the first day of each group: new rows can only make it earlier, what was taken back is looked up."""
        starts = self._source.starts
        if not starts:
            return
        kept, by, day = f"meta.starts_{self._source.dataset}", ", ".join(map(name, starts.by)), name(starts.day)
        stirred = " union ".join(f"select {by} from landing_{rows}" for rows in ("again", "standing", "gone", "resolved"))
        self._make("stirred", stirred)
        self._make(
            "starts",
            f"""
            select {by}, min(first_day) as first_day
            from (
                select {by}, first_day from {kept} anti join landing_stirred using ({by})
                union all
                select {by}, min({day}) from landing_clean group by all
                union all
                select {by}, min({day}) from {self._raw} semi join landing_stirred using ({by})
                where row_status = 'surviving' group by all
            )
            group by all
            """,
        )
        self._execute(f"delete from {kept}")
        self._execute(f"insert into {kept} from landing_starts")

    def _merged(self) -> Merged:
        months = self._connection.execute("select distinct month from landing_touched where month is not null").fetchall()
        healed, refused = self._connection.execute("""
            select
                count(*) filter (was = 'quarantined' and static_errors is null and reference_errors is null),
                count(*) filter (was = 'loaded' and reference_errors is not null)
            from landing_judged
        """).fetchall()[0]
        moved = _count(self._connection, "(select 1 from landing_delta where loaded <> 0 or replaced <> 0 limit 1)")
        return Merged(bool(moved), frozenset(month for (month,) in months), healed, refused)
