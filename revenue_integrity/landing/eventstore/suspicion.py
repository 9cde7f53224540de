"""Rows of plain files that may be bad or untidy, found by a look instead of by parsing.

Belongs here: what is suspicious of a value, and which files hold such a row. Does not belong here: judging the row (``values``),
files (``keeping``).
"""

from collections.abc import Mapping, Sequence

from revenue_integrity.landing.eventstore.incoming import Kept
from revenue_integrity.landing.eventstore.work import LogWork
from revenue_integrity.landing.values import CONTROL, SPACE, name, path_literal, quote
from revenue_integrity.model.source import RESERVED_IDS, Source
from revenue_integrity.model.stage import ScannedFile
from revenue_integrity.warehouse.scanning import scan_sql

DOUBTFUL = "is_doubtful"
"""Column of a file that was typed at once: whether a text of the row is not plainly the value that it was taken for."""


def parquet(file: Kept) -> str:
    """Return SQL that reads a kept file as it is."""
    return f"read_parquet({path_literal(file.path)}, hive_partitioning = false)"


def suspicious(source: Source, currency: str, seen: Sequence[str]) -> dict[str, str]:
    """Return, for what is looked at (columns, mostly), SQL that is true of values of a plain file that are bad or need tidying.

    Args:
        source: the source.
        currency: the deployment's.
        seen: columns of nearly as many values as rows: for these one pattern is the cheapest.
    """
    predicates = {}
    for column in source.columns:
        value = name(column.stored)
        parts = [f"{value} is null"] if column.required and not column.unless else []
        if column.unless:
            # On its own, for it looks at another column, too.
            missing = f"{value} is null and not coalesce({name(column.unless)}, false)"
            predicates[f"{column.stored} unless {column.unless}"] = f"coalesce({missing}, false)"
        match column.kind:
            case "id" if column.stored in seen:
                parts += [f"not regexp_full_match({value}, {quote('[!-^`{-~]+')})"]
            case "id":
                # Plain functions, for the engine works them out once for each word of a dictionary; patterns it does not.
                parts.append(f"{value} = '' or upper({value}) <> {value} or strlen({value}) <> length({value})")
                parts += [_contains(value, "_" + SPACE), f"regexp_matches({value}, {quote(CONTROL)})"]
            case "enum":
                parts.append(f"{value} not in ({', '.join(map(quote, column.values))})")
            case "currency":
                parts.append(f"{value} <> {quote(currency)}")
            case "text":
                parts.append(f"{value} = '' or trim({value}) <> {value}")
                edges = f"not regexp_full_match({value}, {quote('[!-~]|[!-~].*[!-~]')})"
                parts.append(f"case when strlen({value}) <> length({value}) then {edges} else false end")
                parts += [_contains(value, SPACE.replace(" ", "")), f"regexp_matches({value}, {quote(CONTROL)})"]
            case "ts" | "date":
                parts.append(f"not isfinite({value})")
            case _:
                pass
        if column.kind == "id":
            parts.append(f"{value} in ({', '.join(map(quote, RESERVED_IDS))})")
        if column.ge is not None:
            parts.append(f"{value} < {column.ge}")
        if parts:
            predicates[column.stored] = f"coalesce({' or '.join(f'({part})' for part in parts)}, false)"
    return predicates


def _contains(value: str, characters: str) -> str:
    ascii_only = [character for character in characters if character.isascii()]
    return " or ".join(f"contains({value}, chr({ord(character)}))" for character in ascii_only)


class Suspicion:
    """What may be wrong with rows of a source's plain files."""

    def __init__(self, work: LogWork, source: Source) -> None:
        self._work = work
        self._source = source
        ids = {column.stored for column in source.columns if column.kind == "id"}
        self._seen = [column for column in work.log.hashed if column in ids]
        self._columns = suspicious(source, work.settings.currency, self._seen)
        self._rules = [f"coalesce({rule.bad}, false)" for rule in source.rules]

    @property
    def predicates(self) -> list[str]:
        """SQL over the stored columns, each true of rows that may be bad or untidy."""
        return [*self._columns.values(), *self._rules]

    def any_of(self, files: Sequence[Kept]) -> bool:
        """Return whether any row of files of one form may be bad or untidy, looking at each value of a column once.

        The texts of keys are not looked at: nearly each is another, and their index saw all of them.
        """
        rows = self._scan(files)
        texts = {each.stored for each in self._source.columns if each.kind in ("id", "text")} - {*self._seen}
        for column in sorted(texts & {*self._columns}):
            # In a table, or the engine would judge every row instead of every value.
            self._work.execute(f"create or replace temp table landing_kinds as select distinct {name(column)} from ({rows})")
            if self._work.rows(f"select 1 from landing_kinds where {self._columns[column]} limit 1"):
                return True
        others = [each for column, each in self._columns.items() if column not in texts and column not in self._seen]
        others += [f"{name(column)} in ({', '.join(map(quote, RESERVED_IDS))})" for column in self._seen]
        # Each on its own, for a file's statistics tell of most of them that no value can be meant.
        return any(self._work.rows(f"select 1 from ({rows}) where {each} limit 1") for each in [*others, *self._rules])

    def which_of(self, files: Sequence[Kept]) -> list[Kept]:
        """Return the files of one form that hold a row that may be bad or untidy."""
        found = self._work.rows(
            f"select distinct file_no from ({self._scan(files)}) where {' or '.join(self.predicates)} order by all"
        )
        return [files[place] for (place,) in found]

    def has_doubts(self, file: Kept) -> bool:
        """Return whether a text of a file that was typed at once is not plainly the value that it was taken for."""
        return bool(file.landed and self._work.rows(f"select 1 from {parquet(file)} where {DOUBTFUL} limit 1"))

    def _scan(self, files: Sequence[Kept]) -> str:
        scanned = tuple(ScannedFile(place, file.path, file.stored) for place, file in enumerate(files))
        types: Mapping[str, str] = {column.stored: column.sql_type for column in self._source.columns}
        return scan_sql(scanned, types)
