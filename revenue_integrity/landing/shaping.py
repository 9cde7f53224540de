"""Converted rows that become several or one: a period of service split by months, intervals of a day added up.

Belongs here: SQL over rows that already have our columns, as texts. Does not belong here: what a mapping may say (``mapping``),
the text of a single value (``styles``).

Everything is exact: amounts are split by the largest remainder, so that the parts add up to the whole. What cannot be split or
added up stays as it came, with the reason behind it, so that it goes to quarantine and says why.
"""

from collections.abc import Sequence

from revenue_integrity.landing import styles
from revenue_integrity.landing.mapping import Group, Mapping, Spread, month_of
from revenue_integrity.landing.values import name, quote, told
from revenue_integrity.model.source import SourceColumn

PERIOD = ("period_from", "period_to")
"""Columns of the rows that are split: the first and the last day of their period."""

CAME_FROM = "foreign_rows"
"""The column that a converted file has beside ours where its rows are not those of the foreign file: which ones they came of."""

_LONGEST = 1200
"""Days of the longest period: what is longer is a slip, and would become more parts than a line has numbers for."""

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_SPLIT_PLACES = 6


def shaped(rows: str, mapping: Mapping, columns: Sequence[SourceColumn], *, problem: str = "") -> str:
    """Return a select of the rows that land.

    Args:
        rows: a table of our columns as texts, ``PERIOD`` if rows are split, ``CAME_FROM``, and ``problem``.
        mapping: what says how.
        columns: our columns that it fills, in order.
        problem: the column that tells why a row could not be taken apart, if there is one: such a row is left as it is.
    """
    if mapping.spread:
        rows = f"({_spread(rows, mapping.spread, columns, month_of(mapping.source), problem)})"
        columns = [column for column in mapping.source.columns if column in columns or column.kind == "month"]
    if mapping.group:
        return _grouped(rows, mapping.group, columns, problem)
    shown = ", ".join([*(name(column.name) for column in columns), CAME_FROM, *([problem] if problem else [])])
    parts = f", {name(month_of(mapping.source))}" if mapping.spread else ""
    return f"select {shown} from {rows} order by cast({CAME_FROM} as BIGINT){parts}"


def _places(column: SourceColumn) -> int:
    return {"money": 2, "int": 0}.get(column.kind, min(column.places, _SPLIT_PLACES))


def _number(places: int) -> str:
    """Return the pattern of a number that can be split exactly."""
    return rf"[+-]?([0-9]{{1,18}}\.?[0-9]{{0,{places}}}0*|\.[0-9]{{1,{places}}}0*)" if places else r"[+-]?[0-9]{1,18}([.]0*)?"


def _spread(rows: str, spread: Spread, columns: Sequence[SourceColumn], month: str, problem: str) -> str:
    begin, end = (f"case when regexp_full_match({each}, '{_DATE}') then try_cast({each} as DATE) end" for each in PERIOD)
    last = f"{end} - 1" if spread.to_is == "exclusive" else end
    kinds = {column.name: column for column in columns}
    split = {column: _places(kinds[column]) for column in spread.columns}
    units, parts, shares = [], [], []
    for place, (amount, places) in enumerate(split.items()):
        exact = f"regexp_full_match({name(amount)}, {quote(_number(places))})"
        scaled = f"cast({name(amount)} as DECIMAL(28,{places})) * cast({10**places} as DECIMAL(7,0))"
        units.append(f"case when {exact} then cast({scaled} as HUGEINT) end as units_{place}")
        parts += [
            f"abs(units_{place}) * days // nullif(whole, 0) as floor_{place}",
            f"abs(units_{place}) * days % nullif(whole, 0) as rest_{place}",
        ]
        # The cents that are left go to the largest remainders; of equal ones to the earlier month.
        turn = f"row_number() over (partition by row order by rest_{place} desc, month)"
        left = f"abs(units_{place}) - sum(floor_{place}) over (partition by row)"
        shares.append(f"sign(units_{place}) * (floor_{place} + case when {turn} <= {left} then 1 else 0 end) as share_{place}")
    written = []
    for column in columns:
        value = name(column.name)
        if column.name in split:
            place, places = list(split).index(column.name), split[column.name]
            shown = _text_of(f"share_{place}", places)
            value = f"case when month is null or units_{place} is null then {value} else {shown} end"
        elif column.name in spread.totals:
            value = _total(column, spread.totals[column.name], split)
        elif column.name == spread.number:
            numbered = f"cast(cast({value} as BIGINT) * 100 + part as VARCHAR)"
            value = f"case when regexp_full_match({value}, '[0-9]{{1,15}}') then {numbered} else {value} end"
        written.append(f"{value} as {name(column.name)}")
    refused = told(f"coalesce({PERIOD[0]}, '') || ' to ' || coalesce({PERIOD[1]}, '')", quote("no period of service"))
    written.append(f"case when month is null then {refused} else strftime(month, '%Y-%m') end as {name(month)}")
    written += [CAME_FROM, *([problem] if problem else [])]
    return f"""
        with numbered as (
            select *, rowid as row, {begin} as first_day, {last} as last_day, {", ".join(units)} from {rows}
        ),
        dated as (
            select
                *,
                case when first_day <= last_day and last_day - first_day < {_LONGEST}
                    then generate_series(date_trunc('month', first_day), last_day, interval 1 month) else [null] end as months
            from numbered
        ),
        parted as (select * exclude (months), cast(unnest(months) as DATE) as month from dated),
        measured as (
            select
                *, last_day - first_day + 1 as whole,
                least(last_day, last_day(month)) - greatest(first_day, month) + 1 as days,
                row_number() over (partition by row order by month) as part
            from parted
        ),
        divided as (select *, {", ".join(parts)} from measured),
        shared as (select *, {", ".join(shares)} from divided)
        select {", ".join(written)} from shared
    """


def _text_of(units: str, places: int) -> str:
    """Return SQL for the text of a number of minor units."""
    return f"cast(cast({units} as DECIMAL(30,0)) * cast('{10**-places:.{places}f}' as DECIMAL({places + 1},{places})) as VARCHAR)"


def _total(column: SourceColumn, of: Sequence[str], split: dict[str, int]) -> str:
    """Return SQL for a sum of split columns: that of their parts, if the sum as it came is that of the wholes."""
    value, places = name(column.name), max(split[each] for each in of)

    def added(prefix: str) -> str:
        each = (f"coalesce({prefix}_{list(split).index(part)}, 0) * {10 ** (places - split[part])}" for part in of)
        return " + ".join(each)

    known = " and ".join(f"(units_{list(split).index(part)} is not null or {name(part)} is null)" for part in of)
    exact = f"regexp_full_match({value}, {quote(_number(places))})"
    same = f"cast({value} as DECIMAL(28,{places})) * cast({10**places} as DECIMAL(7,0)) = {added('units')}"
    refused = told(value, quote(f"is not the sum of {', '.join(of)}"))
    return (
        f"case when month is null or {value} is null or not ({known}) or not {exact} then {value}"
        f" when {same} then {_text_of(added('share'), places)} else {refused} end"
    )


def _grouped(rows: str, group: Group, columns: Sequence[SourceColumn], problem: str) -> str:
    by = [name(column) for column in group.by]
    missing = " or ".join(f"{column} is null" for column in by)
    # A row that does not name its group is no part of one; it goes to quarantine alone.
    apart = f"case when {missing} then {CAME_FROM} end"
    written = []
    for column in columns:
        value = name(column.name)
        if column.name in group.by:
            combined = f"any_value({value})"
        elif column.name in group.combined:
            combined = _combined(column, group)
        elif column.kind in ("id", "text"):
            combined = f"string_agg(distinct {value}, '+' order by {value})"
        else:
            differing = told(f"string_agg(distinct {value}, ', ' order by {value})", quote("differ in a group"))
            combined = f"case when count(distinct {value}) > 1 then {differing} else any_value({value}) end"
        written.append(f"{combined} as {value}")
    number = f"cast({CAME_FROM} as BIGINT)"
    several = f"min({number}) || ' to ' || max({number}) || ', ' || count(*) || ' rows'"
    came = f"case when count(*) = 1 then min({number}) || '' else {several} end"
    also = [f"null as {problem}"] if problem else []
    whole = f"select {', '.join([*written, f'{came} as {CAME_FROM}', *also])}, min({number}) as place from {rows}"
    whole += f" where {problem} is null" if problem else ""
    whole += f" group by {', '.join([*by, apart])}"
    if problem:
        own = ", ".join(name(column.name) for column in columns)
        whole += f" union all select {own}, {CAME_FROM}, {problem}, {number} from {rows} where {problem} is not null"
    in_order = ", ".join(["place", *by])
    return f"select * exclude (place) from ({whole}) order by {in_order}"


def _combined(column: SourceColumn, group: Group) -> str:
    """Return SQL for a number made of those of all rows of a group."""
    value = name(column.name)
    how = "sum" if column.name in group.sum else "max" if column.name in group.max else "min"
    if column.kind in ("date", "month", "ts"):
        return f"{how}({value})"
    exact = f"regexp_full_match({value}, {quote(styles.EXACT)})"
    bad = f"min({value}) filter (not {exact})"
    number = f"{how}(case when {exact} then cast({value} as DECIMAL(38,18)) end)"
    counted = ""
    if group.count and column.name in group.sum:
        allowed = ", ".join(map(str, group.count))
        words = told(f"min({value})", f"count(*) || {quote(f' rows in the group, and there must be {allowed}')}")
        counted = f"when count(*) not in ({allowed}) then {words}"
    return f"case when count({value}) filter (not {exact}) > 0 then {bad} {counted} else {styles.tidied(number)} end"
