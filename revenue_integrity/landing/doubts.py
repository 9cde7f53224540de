"""What looks wrong in files before they are landed, although each row on its own is good.

Belongs here: rows of one batch that claim one key with other content, or again and again with the same, and identifiers that a
spreadsheet has changed. Does not belong here: judging single rows (``values``), which row counts (``merge``).
"""

import duckdb

from revenue_integrity.landing.values import name, quote
from revenue_integrity.model.source import Source

_SHOWN = 5
"""Keys that are told in full."""

_EXPONENT = r"[0-9]([.,][0-9]+)?E[+]?[0-9]+"
_FLOAT = r"[0-9]+[.]0+"
_DIGITS = "[0-9]+"

_FORMULA = r"#(REF|N/A|VALUE|NAME[?]|NUM|DIV/0|NULL)!?"
"""What a spreadsheet shows where a formula found nothing."""

_CUT = "[0-9]{15}0+"
"""Identifiers of more digits than a spreadsheet keeps: it writes zeros behind the fifteenth."""

_ONCE_OR_TWICE = 2
"""Rows that may be the same: a line is easily written twice, hardly more often."""

_SHORTEST_PADDED = 4
"""Digits from which identifiers of one length are likely to have been padded with zeros."""


def doubts(connection: duckdb.DuckDBPyConnection, source: Source, rows: str) -> tuple[str, ...]:
    """Return what a person should look at, in sentences; nothing of it makes a row bad.

    Args:
        connection: the engine.
        source: the source.
        rows: SQL for the good and bad rows of the batch: the stored columns, ``place`` (file and row as people name them),
            ``static_errors``.
    """
    return (
        *_claimed_twice(connection, source, rows),
        *_repeated(connection, source, rows),
        *_changed_by_a_spreadsheet(connection, source, rows),
    )


def _claimed_twice(connection: duckdb.DuckDBPyConnection, source: Source, rows: str) -> list[str]:
    """Tell the keys that several rows claim with other content: more likely two things under one name than a correction."""
    if source.events and not source.events.appends:
        return []
    by = [name(each) for each in dict.fromkeys((*source.key, *source.versions.within, *source.versions.order))]
    content = f"row({', '.join(map(name, source.stored))})"
    shown = f"concat_ws(', ', {', '.join(f'{quote(each + chr(32))} || {name(each)}' for each in source.key)})"
    connection.execute(f"""
        create or replace temp table landing_claims as
        with good as (
            select * from ({rows}) where static_errors is null
        ),

        claimed as (
            select {", ".join(by)} from good group by all having count(*) > 1
        )

        select {shown} as claimed_key, count(*) as claims, min(place) as first_place, max(place) as last_place
        from good semi join claimed using ({", ".join(by)})
        group by {", ".join(by)}, {shown}
        having count(distinct {content}) > 1
    """)
    ((found,),) = connection.execute("select count(*) from landing_claims").fetchall()
    told = connection.execute(f"from landing_claims order by first_place, claimed_key limit {_SHOWN}").fetchall()
    said = [
        f"{key}: {claims} rows claim this key and differ ({_place(first)} and {_place(last)} are the first and the last):"
        " the last would count. Are they one record?"
        for key, claims, first, last in told
    ]
    return [*said, *([f"... and {found - _SHOWN} more keys that several rows claim"] if found > _SHOWN else [])]


def _repeated(connection: duckdb.DuckDBPyConnection, source: Source, rows: str) -> list[str]:
    """Tell rows of which there are three or more: hours of a steady load look like a line that was written twice."""
    if source.events:
        return []
    by, content = (", ".join(map(name, columns)) for columns in (source.key, source.stored))
    shown = f"concat_ws(', ', {', '.join(f'{quote(each + chr(32))} || {name(each)}' for each in source.key)})"
    ((more, most, key),) = connection.execute(f"""
        with good as (
            select * from ({rows}) where static_errors is null
        ),

        claimed as (
            select {by} from good group by all having count(*) > {_ONCE_OR_TWICE}
        ),

        same as (
            select {shown} as key, count(*) as times, min(place) as first_place
            from good semi join claimed using ({by})
            group by {content}, {shown} having count(*) > {_ONCE_OR_TWICE}
        )

        select sum(times - 1)::bigint, max(times), arg_min(key, (-times, first_place, key)) from same
    """).fetchall()
    if not more:
        return []
    return [f"{more} rows are the same as others and count no more than those ({key}: {most} times). Are they one record?"]


def _place(place: dict[str, object]) -> str:
    return f"{place['file']} row {place['number']}"


def _changed_by_a_spreadsheet(connection: duckdb.DuckDBPyConnection, source: Source, rows: str) -> list[str]:
    """Tell identifiers that a spreadsheet took for numbers (with an exponent, a point, without zeros or digits) or formulas."""
    said = []
    for column in source.columns:
        if column.kind != "id":
            continue
        value = name(column.stored)
        ((formulas, wrong, long, cut, exponents, floats, example, all_digits, longest, of_longest, values, alike),) = (
            connection.execute(f"""
            with kinds as (
                select {value} as id, count(*) as rows from ({rows}) where {value} is not null group by all
            )

            select
                coalesce(sum(rows) filter (regexp_full_match(id, {quote(_FORMULA)})), 0)::bigint,
                min(id) filter (regexp_full_match(id, {quote(_FORMULA)})),
                count(*) filter (regexp_full_match(id, '[0-9]{{16,}}')),
                count(*) filter (regexp_full_match(id, {quote(_CUT)})),
                coalesce(sum(rows) filter (regexp_full_match(id, {quote(_EXPONENT)})), 0)::bigint,
                coalesce(sum(rows) filter (regexp_full_match(id, {quote(_FLOAT)})), 0)::bigint,
                min(id) filter (regexp_full_match(id, {quote(_EXPONENT)}) or regexp_full_match(id, {quote(_FLOAT)})),
                bool_and(regexp_full_match(id, {quote(_DIGITS)})),
                max(length(id)),
                count(*) filter (length(id) = (select max(length(id)) from kinds)),
                count(*),
                (
                    select min(a.id || ' and ' || b.id)
                    from (select id, ltrim(id, '0') as bare from kinds where regexp_full_match(id, {quote(_DIGITS)})) as a
                    inner join (select id, ltrim(id, '0') as bare from kinds where regexp_full_match(id, {quote(_DIGITS)})) as b
                        on a.bare = b.bare and a.id < b.id
                )
            from kinds
        """).fetchall()
        )
        if formulas:
            said.append(f"{column.name} {wrong}: {formulas} rows have what a spreadsheet shows where a formula found nothing")
        if long > 1 and long == cut:
            said.append(
                f"{column.name}: all {long} values of more than 15 digits end in zeros behind the 15th: a spreadsheet may have"
                " taken their last digits"
            )
        if exponents or floats:
            said.append(
                f"{column.name} {example}: {exponents + floats} rows have an identifier that a spreadsheet took for a number"
                " (digits may be lost): export the column as text"
            )
        if alike:
            said.append(
                f"{column.name} {alike} differ in leading zeros alone: a spreadsheet may have taken them from one of them"
            )
        elif all_digits and longest >= _SHORTEST_PADDED and values > of_longest >= values - of_longest:
            said.append(
                f"{column.name}: {values - of_longest} of {values} values have fewer digits than the others ({longest}): a"
                " spreadsheet may have taken their leading zeros"
            )
    return said


def numbered(table: str, names: dict[int, str]) -> str:
    """Return SQL for staged rows with their place in the files that are told by number; other files take no part."""
    cases = " ".join(f"when {number} then {quote(file)}" for number, file in sorted(names.items()))
    place = f"struct_pack(file := case f {cases} end, number := rowid - min(rowid) over (partition by f) + 1)"
    return f"select *, {place} as place from {table} where f in ({', '.join(map(str, sorted(names))) or 'null'})"
