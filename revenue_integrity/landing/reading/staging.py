"""The staging table: all rows of a source's files, parsed and judged on their own.

Belongs here: which reader reads which file, and putting rows of all of them into one table. Does not belong here: what a value
must be (``values``), judgement that needs other rows (``ingest``).

Files are read twice. ``inspect`` streams the bytes once for the digest, the encoding, the integrity of gzip and the header.
``stage`` then lets the engine read all files of one shape with one call, so that thousands of small batches cost what a few
large ones do; many small files are first joined into few, for the engine's reader costs as much for each as for a thousand rows
of it. What the engine's reader does not read exactly as RFC 4180 says (rows of another length, stray quotes, mixed line
ends) goes through Python's, file by file; JSON always does, for the engine turns long numbers into floating point.
"""

import json
import tempfile
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa

from revenue_integrity import clock
from revenue_integrity.files import unfinished
from revenue_integrity.landing import notations
from revenue_integrity.landing.reading.exact import control_words, records
from revenue_integrity.landing.reading.inspection import FileFacts, UnreadableError, first_line, format_problem
from revenue_integrity.landing.reading.json_objects import json_objects, json_text
from revenue_integrity.landing.reading.json_rows import JsonRows
from revenue_integrity.landing.reading.layout import Layout, header_problem, layout_of
from revenue_integrity.landing.reading.limits import CONTROL
from revenue_integrity.landing.reading.regular import SMALLEST_BUFFER, csv_sql, plain_rows
from revenue_integrity.landing.values import judged, name, parsed, path_literal, quote, without_words
from revenue_integrity.model.source import Basket, Notation, Source, SourceColumn

_ROWS = 1 << 15

_MANY = 50
"""Small files from which joining them pays."""

_JOINED = 8_000_000
"""Bytes up to which small files are joined: a row that the reader refuses sends all of them to be read one by one."""

_ROUND = 256_000_000
"""Bytes that are joined before they are read: what is on disk twice for a while."""


@dataclass
class Staged:
    """What became of the files that were staged.

    Attributes:
        table: the staging table: ``f`` (number of the file), the values of the source, ``static_errors``, ``raw``.
        numbers: the number of each file whose rows stand.
        problems: why a file cannot be loaded, for each that cannot.
        unknown: columns of each file that are not modelled.
    """

    table: str
    numbers: dict[Path, int] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)
    unknown: dict[Path, tuple[str, ...]] = field(default_factory=dict)


class Stager:
    """Reads files of one source into a staging table of the connection.

    Row numbers follow from the order of insertion: the engine keeps the order of files and of rows in them, so that a row's
    number is its ``rowid`` less the smallest of its file. Rows of a file that is not in ``Staged.numbers`` do not count.
    The connection must not be in a transaction: a file that cannot be read would end it.

    With ``came``, an SQL condition over the values, rows are not judged: the table holds ``f`` alone, and ``raw``, the row as it
    came, where the condition holds. ``arrivals`` says when files became visible, where that decides how they are read.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: Source,
        currency: str,
        *,
        came: str = "",
        arrivals: Mapping[Path, datetime] | None = None,
    ) -> None:
        self._connection = connection
        self._source = source
        self._currency = currency
        self._came = came
        self._arrivals = arrivals or {}
        self._arrived: list[datetime] = []
        self._next = 0
        self._yielded: dict[Path, int] = {}
        self._staged = Staged(f"staged_{source.name}")
        self._texts = f"staged_texts_{source.name}"
        # A mapping writes Parquet, and says in it why it could not read a value.
        self._is_mapped = False

    def stage(self, files: Iterable[FileFacts]) -> Staged:
        """Read all files. Files that cannot be read are told in the result; the others go on."""
        self._create()
        groups: dict[tuple[str, str, bool], list[FileFacts]] = defaultdict(list)
        for file in files:
            problem = format_problem(file.name, notated=self._source.notation is not None)
            if file.problem or problem:
                self._staged.problems[file.path] = file.problem or f"{file.name} {problem}"
            else:
                groups[file.format, file.shape, file.irregular].append(file)
        for (kind, _, irregular), group in sorted(groups.items()):
            if kind == "json":
                self._read_json(group)
                continue
            layout = layout_of(self._source, group[0].header)
            for file in group:
                self._staged.unknown[file.path] = layout.unknown
            if layout.problem:
                self._staged.problems |= {file.path: f"{file.name} {layout.problem}" for file in group}
            elif kind == "parquet":
                self._is_mapped = True
                self._read_parquet(group, layout)
                self._is_mapped = self._source.notation is not None
            elif irregular:
                self._read_exactly(group, layout)
            else:
                self._read_regular(group, layout)
                # A row that a reader passed over without a word is found by reading record by record.
                if lost := self._lost(group):
                    self._read_exactly(lost, layout)
        for file in self._lost([each for group in groups.values() for each in group]):
            counted = self._yielded.get(file.path, file.records)
            self._staged.problems[file.path] = f"{file.name} has {counted} rows, and not as many were read"
        if self._source.notation is not None:
            self._judge_texts(self._source.notation)
            if self._source.notation.basket is not None:
                self._split_amounts(self._source.notation.basket)
                self._judge_baskets()
        return self._staged

    def _lost(self, files: Sequence[FileFacts]) -> list[FileFacts]:
        """Return the files of which other rows stand than were counted apart from reading them, and let none of these count."""
        table = self._staged.table if self._source.notation is None else self._texts
        numbers = {self._staged.numbers[file.path]: file for file in files if file.path in self._staged.numbers}
        if not numbers:
            return []
        stand = dict(
            self._connection.execute(
                f"select f, count(*) from {table} where f between ? and ? group by f", [min(numbers), max(numbers)]
            ).fetchall()
        )
        wanted = {number: self._yielded.get(file.path, file.records) for number, file in numbers.items()}
        lost = [number for number in numbers if wanted[number] is not None and stand.get(number, 0) != wanted[number]]
        for number in lost:
            del self._staged.numbers[numbers[number].path]
        return [numbers[number] for number in lost]

    def _split_amounts(self, basket: Basket) -> None:
        """Split what an object says for all its items over them: the largest remainders get the units that are left."""
        table, place = self._staged.table, name(self._source.part("place"))
        stored = {column.name: name(column.stored) for column in self._source.columns}
        for amount, kept in basket.own:
            number = stored[basket.number] if basket.number else place
            self._connection.execute(f"""
                update {table} set {stored[amount]} = split.share
                from (
                    select
                        item, cast(sign(whole) * (
                            part + case when row_number() over (
                                partition by object order by rest desc, number, item
                            ) <= abs(whole) - sum(part) over (partition by object) then 1 else 0 end
                        ) as BIGINT) as share
                    from (
                        select
                            item, object, number, whole, abs(whole) * weight // total as part, abs(whole) * weight % total as rest
                        from (
                            select
                                item, object, number, whole, case when weights = 0 then 1 else weight end as weight,
                                case when weights = 0 then items else weights end as total
                            from (
                                select
                                    *, sum(weight) over each_object as weights, count(*) over each_object as items
                                from (
                                    select
                                        rowid as item, rowid - {place} as object, {number} as number,
                                        cast({stored[kept]} as HUGEINT) as whole,
                                        cast(coalesce({basket.weight}, 0) as HUGEINT) as weight
                                    from {table} where {stored[kept]} <> 0 and static_errors is null
                                )
                                window each_object as (partition by object)
                            )
                        )
                    )
                ) as split
                where {table}.rowid = split.item
            """)

    def _judge_baskets(self) -> None:
        """Refuse every row of an object of which one is bad; the good ones say so."""
        table, place = self._staged.table, name(self._source.part("place"))
        self._connection.execute(f"""
            update {table} set static_errors = 'another line of the basket is bad', raw = bad.raw
            from (
                select rowid - {place} as object, any_value(raw) as raw from {table} where static_errors is not null group by all
            ) as bad
            where {table}.rowid - {table}.{place} = bad.object and {table}.static_errors is null
        """)

    def _create(self) -> None:
        values = [f"{name(column)} {self._source.sql_type(column)}" for column in self._source.values]
        columns = [] if self._came else [*values, "static_errors VARCHAR"]
        self._connection.execute(
            f"create or replace temp table {self._staged.table} ({', '.join(['f INTEGER', *columns, 'raw VARCHAR'])})"
        )
        if self._source.notation is not None:
            texts = ", ".join(f"{name(each)} VARCHAR" for each in dict.fromkeys(column.name for column in self._source.columns))
            self._connection.execute(
                f"create or replace temp table {self._texts} (f INTEGER, {texts}, wrong VARCHAR, came VARCHAR)"
            )

    def _number(self, files: Sequence[FileFacts]) -> int:
        first = self._next
        for file in files:
            self._staged.numbers[file.path] = self._next
            self._arrived.append(self._arrivals.get(file.path) or clock.now())
            self._next += 1
        return first

    def _insert(self, relation: str, layout: Layout, *, exact: bool = False) -> None:
        """Parse and judge the rows of a relation and append them.

        The relation holds the number of the file as ``f`` and the texts of its columns as ``c0``, ``c1``, …; if it was read
        exactly, also what is wrong with the row as a whole (``wrong``) and the row as it came where that is known (``came``).
        """
        source = self._source
        if source.notation is not None:
            self._insert_notated(relation, layout, exact=exact)
            return
        texts = ["cast(null as VARCHAR)" if place is None else self._meant(f"c{place}") for place in layout.positions]
        pairs = list(zip(source.columns, texts, strict=True))
        values = [f"{parsed(column, text)} as {name(column.stored)}" for column, text in pairs]
        whole = _json_of(layout.header)
        raw = f"{'came, ' if exact else ''}{without_words(whole) if self._is_mapped else whole}"
        if self._came:
            self._connection.execute(f"""
                insert into {self._staged.table}
                select f, case when {self._came} then coalesce({raw}) end from (select *, {", ".join(values)} from {relation})
            """)
            return
        judgements = [judged(column, text, self._currency, is_mapped=self._is_mapped) for column, text in pairs]
        suspicious = [f"({judgement.suspicious})" for judgement in judgements]
        suspicious += [f"coalesce({rule.bad}, false)" for rule in source.rules]
        reasons = [judgement.reason for judgement in judgements]
        reasons += [f"case when {rule.bad} then {rule.reason} end" for rule in source.rules]
        wrong = "wrong" if exact else "null"
        stored = ", ".join(
            # A row of the wrong length is not judged further, for its fields may stand in the wrong places.
            f"case when wrong is null then {name(column.stored)} end" if exact and column.kind != "month" else name(column.stored)
            for column in source.columns
        )
        month = f"cast(date_trunc('month', {name(source.month_of)}) as DATE)," if source.month_of else ""
        self._connection.execute(f"""
            insert into {self._staged.table}
            select
                f, {stored}, {month}
                case when suspicious then coalesce({wrong}, nullif(concat_ws('; ', {", ".join(reasons)}), '')) end,
                case when suspicious then coalesce({raw}) end
            from (
                select *, ({wrong} is not null or {" or ".join(suspicious)}) as suspicious
                from (select *, {", ".join(values)} from {relation})
            )
        """)

    def _insert_notated(self, relation: str, layout: Layout, *, exact: bool) -> None:
        """Put the texts of a relation beside those of other files: to plan what judges them costs as much as many rows do."""
        texts = self._texts_notated(layout)
        wrong = ["wrong"] if exact else []
        places = {column.name: place for column, place in zip(self._source.columns, layout.positions, strict=True)}
        for named, place in places.items():
            if rival := notations.rivals(place, layout.others.get(named, ())):
                wrong.append(f"case when {rival} then '{named} has two values under different names' end")
        whole = f"nullif(concat_ws('; ', {', '.join(wrong)}), '')" if wrong else "cast(null as VARCHAR)"
        row = _json_of(layout.header)
        came = f"coalesce({'came, ' if exact else ''}{without_words(row) if self._is_mapped else row})"
        columns = ", ".join(f"{text} as {name(column)}" for column, text in texts.items())
        self._connection.execute(f"insert into {self._texts} select f, {columns}, {whole}, {came} from {relation}")

    def _judge_texts(self, notation: Notation) -> None:
        """Parse and judge the rows of which only the texts were read, and append them."""
        source, deleted = self._source, notation.deleted
        texts = {column.name: f"texts.{name(column.name)}" for column in source.columns}
        fields = [(column, texts[column.name]) for column in notations.dated_columns(source)]
        arrival = "list_extract($arrivals::TIMESTAMPTZ[], f + 1) as arrival"
        arrived = f"(select texts, f, wrong, came, {arrival} from {self._texts} as texts)"
        read = notations.taken_apart(fields, notation, arrived)
        values, reasons, suspicious = [], [], []
        for column in source.columns:
            value = self._value_notated(column, texts[column.name], texts, notation)
            judgement = notations.judged(column, texts[column.name], self._currency, is_mapped=self._is_mapped)
            spared = bool(deleted) and bool(column.unless)
            values.append(
                f"case when not is_taken_away then {value} end as {name(column.stored)}"
                if spared
                else f"{value} as {name(column.stored)}"
            )
            reasons.append(f"case when not is_taken_away then {judgement.reason} end" if spared else judgement.reason)
            suspicious.append(f"(not is_taken_away and ({judgement.suspicious}))" if spared else f"({judgement.suspicious})")
        suspicious += [f"coalesce({rule.bad}, false)" for rule in source.rules]
        reasons += [f"case when {rule.bad} then {rule.reason} end" for rule in source.rules]
        stored = ", ".join(map(name, source.stored))
        month = f"cast(date_trunc('month', {name(source.month_of)}) as DATE)," if source.month_of else ""
        self._connection.execute(
            f"""
            insert into {self._staged.table}
            select
                f, {stored}, {month}
                case when suspicious then coalesce(wrong, nullif(concat_ws('; ', {", ".join(reasons)}), '')) end,
                case when suspicious then came end
            from (
                select *, (wrong is not null or {" or ".join(suspicious)}) as suspicious
                from (
                    select f, texts, wrong, came, arrival, is_taken_away, {", ".join(values)}
                    from (select *, {self._taken_away(texts, notation)} as is_taken_away from {read})
                )
            )
            """,
            {"arrivals": self._arrived},
        )
        self._connection.execute(f"drop table {self._texts}")

    def _texts_notated(self, layout: Layout) -> dict[str, str]:
        """Return SQL for the text of each column by its name, what the reader says of rows included."""
        texts: dict[str, str] = {}
        has_parts = all(column.name in layout.header for column in self._source.columns if not column.is_in_files)
        for column, place in zip(self._source.columns, layout.positions, strict=True):
            if column.is_in_files:
                texts.setdefault(column.name, notations.text_of(place, layout.others.get(column.name, ())))
            elif has_parts:
                texts[column.name] = f"c{layout.header.index(column.name)}"
            else:
                told = ",".join(sorted({each.name for each in self._source.columns if each.is_in_files and layout.has(each)}))
                made = {"place": "'1'", "told": quote(told)}
                texts[column.name] = made.get(column.part, "cast(null as VARCHAR)")
        return texts

    def _value_notated(self, column: SourceColumn, text: str, texts: Mapping[str, str], notation: Notation) -> str:
        value = notations.parsed(column, text, notation)
        if column.kind == "currency" and not column.required:
            value = f"coalesce({value}, {quote(self._currency)})"
        basket = notation.basket
        if basket is None:
            return value
        numbered = texts[basket.number] if basket.number else ""
        if column.part == "whole":
            # A row without a number speaks for its whole record.
            return f"({text} is not null or {notations.stripped(numbered)} is null)"
        if column.name == basket.number:
            place = texts[self._source.part("place")]
            return f"case when {notations.stripped(text)} is null then cast({place} as BIGINT) else {value} end"
        if column.name == notation.deleted:
            return "is_taken_away"
        return value

    def _taken_away(self, texts: Mapping[str, str], notation: Notation) -> str:
        """Return SQL that is true of a row that takes its record away: it says so, or it is an item of nothing."""
        if not notation.deleted:
            return "false"
        columns = {column.name: column for column in self._source.columns}
        said = f"coalesce({parsed(columns[notation.deleted], texts[notation.deleted])}, false)"
        basket = notation.basket
        if basket is None or not basket.taken_out:
            return said
        whole = next(column.name for column in self._source.columns if column.part == "whole")
        nothing = f"coalesce({notations.parsed(columns[basket.taken_out], texts[basket.taken_out], notation)} = 0, false)"
        return f"({said} or ({texts[whole]} is not null and {nothing}))"

    def _meant(self, text: str) -> str:
        """Return SQL for a field's text, null where the source says that it stands for an empty field."""
        if not self._source.nulls:
            return text
        return f"(case when {text} in ({', '.join(map(quote, self._source.nulls))}) then null else {text} end)"

    def _read_regular(self, files: Sequence[FileFacts], layout: Layout) -> None:
        """Read CSV files of one header that the engine's reader can be trusted with; small ones apart only if they are many."""
        small = [file for file in files if file.length <= SMALLEST_BUFFER]
        if len(small) < _MANY:
            self._read_csv(files, layout)
            return
        self._read_small(small, layout)
        if large := [file for file in files if file.length > SMALLEST_BUFFER]:
            self._read_csv(large, layout)

    def _read_small(self, files: Sequence[FileFacts], layout: Layout) -> None:
        """Read many small files of one header, joined into few; those that cannot be joined are read as they stand."""
        alone: list[FileFacts] = []
        (place,) = self._connection.execute("select current_setting('temp_directory')").fetchall()[0]
        waiting = deque(files)
        while waiting:
            with _scratch(place) as directory:
                joined: dict[FileFacts, list[FileFacts]] = {}
                while waiting and sum(each.size for each in joined) < _ROUND:
                    self._join(directory / f"{len(joined)}.csv", waiting, joined, alone)
                try:
                    refused = self._scan_joined(list(joined), layout)
                except duckdb.Error:
                    refused = set(joined)
            for each in refused:
                for file in joined[each]:
                    del self._staged.numbers[file.path]
                alone += joined[each]
        if alone:
            self._read_csv(sorted(alone, key=lambda file: file.path), layout)

    def _join(
        self, path: Path, waiting: deque[FileFacts], joined: dict[FileFacts, list[FileFacts]], alone: list[FileFacts]
    ) -> None:
        """Write the rows of the first files that wait into one, each behind the number of its file."""
        taken = []
        with path.open("wb") as out:
            # The reader skips the first line, which is a header elsewhere.
            out.write(b"number\n")
            while waiting and out.tell() < _JOINED:
                file = waiting.popleft()
                rows = plain_rows(file)
                if rows is None:
                    alone.append(file)
                    continue
                number = b"%d," % self._number([file])
                taken.append(file)
                if rows:
                    out.write(number + rows[:-1].replace(b"\n", b"\n" + number) + b"\n")
            size = out.tell()
        joined[FileFacts(path, size, 0, "", length=size)] = taken

    def _scan_joined(self, joined: Sequence[FileFacts], layout: Layout) -> set[FileFacts]:
        """Read joined files; return those with a row that the engine's reader refuses."""
        columns = ["number", *(f"c{place}" for place in range(len(layout.header)))]
        relation = self._keeping_rejects(joined, columns)
        self._insert(f"(select * exclude (number), cast(number as INTEGER) as f from {relation})", layout)
        refused = self._rejected()
        return {file for file in joined if file.path in refused}

    def _read_csv(self, files: Sequence[FileFacts], layout: Layout) -> None:
        """Read files of one header with one call; what the engine refuses is read exactly."""
        refused: set[Path] = set()
        try:
            self._scan_csv(files, layout, refused)
        except duckdb.Error:
            # The engine does not say which file it stumbled over, so each is tried alone.
            for file in files:
                self._staged.numbers.pop(file.path, None)
                if len(files) == 1:
                    refused.add(file.path)
                else:
                    self._read_csv([file], layout)
        if refused:
            self._read_exactly([file for file in files if file.path in refused], layout)

    def _scan_csv(self, files: Sequence[FileFacts], layout: Layout, refused: set[Path]) -> None:
        first = self._number(files)
        columns = [f"c{place}" for place in range(len(layout.header))]
        self._insert(f"(select *, {first} + file_index as f from {self._keeping_rejects(files, columns)})", layout)
        for path in self._rejected():
            refused.add(path)
            del self._staged.numbers[path]

    def _keeping_rejects(self, files: Sequence[FileFacts], columns: Sequence[str]) -> str:
        """Return the engine's reading of CSV files, which notes what it refuses; nothing is noted yet."""
        self._connection.execute("drop table if exists reject_errors; drop table if exists reject_scans")
        return csv_sql(files, columns, "store_rejects = true, rejects_limit = 1")

    def _rejected(self) -> set[Path]:
        """Return the files with a row that the engine's reader refused."""
        rejects = self._connection.execute(
            "select distinct file_path from reject_errors inner join reject_scans using (scan_id, file_id)"
        ).fetchall()
        return {Path(path) for (path,) in rejects}

    def _read_parquet(self, files: Sequence[FileFacts], layout: Layout) -> None:
        has_number = any(column.lower() == "file_index" for column in files[0].header)
        if has_number and len(files) > 1:
            # A column of theirs hides the engine's number of the file.
            for file in files:
                self._read_parquet([file], layout)
            return
        number = "0" if has_number else "file_index"
        paths = ", ".join(path_literal(file.path) for file in files)
        relation = f"read_parquet([{paths}], binary_as_string = true, hive_partitioning = false)"
        try:
            described = self._connection.execute(f"describe select * from {relation}").fetchall()
            kinds = {
                place: column.kind
                for column, place in zip(self._source.columns, layout.positions, strict=True)
                if place is not None
            }
            texts = [
                f"{_canonical(name(column), engine_type, kinds.get(place, ''))} as c{place}"
                for place, (column, engine_type, *_) in enumerate(described)
            ]
            first = self._number(files)
            self._insert(f"(select {', '.join(texts)}, {first} + {number} as f from {relation})", layout)
        except duckdb.Error as error:
            for file in files:
                self._staged.numbers.pop(file.path, None)
                if len(files) == 1:
                    self._staged.problems[file.path] = f"{file.name} is not a readable Parquet file ({first_line(error)})"
                else:
                    self._read_parquet([file], layout)

    def _read_exactly(self, files: Sequence[FileFacts], layout: Layout) -> None:
        """Read CSV files of one header record by record."""
        first = self._number(files)
        rows = (
            (first + number, row)
            for number, file in enumerate(files)
            for row in self._guarded(file, records(file, layout.header))
        )
        self._insert_rows(rows, layout)

    def _read_json(self, files: Sequence[FileFacts]) -> None:
        """Read JSON files object by object, their values as the text that stands in the file."""
        if self._source.notation is not None:
            self._read_notated_json(files)
            return
        columns = [column.name for column in self._source.columns]
        required = {column.name for column in self._source.columns if column.required and column.default is None}
        first = self._number(files)

        def objects(file: FileFacts) -> Iterator[list[str | None]]:
            seen: set[str] = set()
            empty = True
            for text, pairs in json_objects(file):
                empty = False
                keys = [key.strip().lower() for key, _ in pairs]
                values = dict(zip(keys, (value for _, value in pairs), strict=True))
                seen.update(key for key in keys if not CONTROL.search(key))
                wrong = "" if len(values) == len(keys) else f"column {next(k for k in keys if keys.count(k) > 1)} stands twice"
                texts = [json_text(values.get(column)) for column in columns]
                for place, each in enumerate(texts):
                    if each is not None and not each.isprintable() and (held := CONTROL.search(each)):
                        wrong = wrong or control_words(columns[place], held[0])
                        texts[place] = CONTROL.sub("\N{REPLACEMENT CHARACTER}", each)
                yield [*texts, wrong or None, text]
            self._staged.unknown[file.path] = tuple(sorted(seen - set(columns) - {""}))
            if missing := [] if empty else sorted(required - seen, key=columns.index):
                raise UnreadableError(header_problem([], missing))

        rows = ((first + number, row) for number, file in enumerate(files) for row in self._guarded(file, objects(file)))
        self._insert_rows(rows, layout_of(self._source, columns))

    def _read_notated_json(self, files: Sequence[FileFacts]) -> None:
        """Read JSON files of every shape, object by object, their values as the text that stands in the file."""
        reader = JsonRows(self._source)
        first = self._number(files)

        def rows(file: FileFacts) -> Iterator[list[str | None]]:
            yield from reader.rows(file)
            self._staged.unknown[file.path] = tuple(sorted(reader.unknown))

        numbered = ((first + number, row) for number, file in enumerate(files) for row in self._guarded(file, rows(file)))
        positions = tuple(reader.header.index(column.name) for column in self._source.columns)
        self._insert_rows(numbered, Layout(tuple(reader.header), positions, ()))

    def _guarded(self, file: FileFacts, rows: Iterator[list[str | None]]) -> Iterator[list[str | None]]:
        count = 0
        try:
            for row in rows:
                count += 1
                yield row
            self._yielded[file.path] = count
        except (UnreadableError, json.JSONDecodeError, RecursionError) as error:
            reason = str(error) if isinstance(error, UnreadableError) else f"is not readable JSON ({first_line(error)})"
            self._staged.problems[file.path] = f"{file.name} {reason}"
            del self._staged.numbers[file.path]

    def _insert_rows(self, rows: Iterator[tuple[int, list[str | None]]], layout: Layout) -> None:
        """Append rows of texts, each with what is wrong with it as a whole and how it came where that is known."""
        columns = [*(f"c{place}" for place in range(len(layout.header))), "wrong", "came"]
        schema = pa.schema([("f", pa.int32()), *((column, pa.string()) for column in columns)])

        def batches() -> Iterator[pa.RecordBatch]:
            while chunk := list(islice(rows, _ROWS)):
                arrays = [pa.array([number for number, _ in chunk], pa.int32())]
                arrays += [_array(column) for column in zip(*(row for _, row in chunk), strict=True)]
                yield pa.record_batch(arrays, schema=schema)

        self._connection.register("exact_rows", pa.RecordBatchReader.from_batches(schema, batches()))
        try:
            self._insert("exact_rows", layout, exact=True)
        finally:
            self._connection.unregister("exact_rows")


def _array(texts: Sequence[str | None]) -> pa.Array:
    """Return texts as an Arrow array; what is no Unicode text (a lone surrogate) or ends texts elsewhere is marked as misread."""
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return pa.array([None if text is None else _encodable(text) for text in texts], pa.string())


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{notations.MISREAD}no text (half of a character stands alone): {text.encode(errors='replace').decode()}"
    return text


@contextmanager
def _scratch(place: str) -> Iterator[Path]:
    """Yield an empty folder in the engine's directory for what does not fit into memory, or in the system's if it has none.

    What a killed process left in the engine's directory goes: these files are as large as what they were joined from.
    """
    if Path(place).is_absolute():
        Path(place).mkdir(parents=True, exist_ok=True)
        with unfinished(Path(place), "joined") as folder:
            yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="joined-") as temporary:
            yield Path(temporary)


def _json_of(header: Sequence[str]) -> str:
    """Return SQL for the row as it came, a JSON object of texts."""
    pairs = ", ".join(f"{quote(column or f'(column {place + 1})')}, c{place}" for place, column in enumerate(header))
    return f"cast(json_object({pairs}) as VARCHAR)"


def _canonical(column: str, engine_type: str, kind: str = "") -> str:
    """Return SQL for the text of a typed Parquet column, so that one parser serves all formats."""
    text = f"cast({column} as VARCHAR)"
    zoned = engine_type in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
    if engine_type == "TIMESTAMPTZ_NS":
        # Nanoseconds that are not zero must reach the parser, which refuses them.
        nanoseconds = f"cast(make_timestamp_ns(epoch_ns({column})) as VARCHAR) || 'Z'"
        return f"case when epoch_ns({column}) % 1000 = 0 then {text} else {nanoseconds} end"
    if kind in ("id", "text") and engine_type in ("FLOAT", "DOUBLE"):
        # Whoever wrote numbers with gaps as floating point did not add the point to them.
        whole = f"cast(cast({column} as DECIMAL(18,0)) as VARCHAR)"
        return f"case when {column} = trunc({column}) and abs({column}) < 1e15 then {whole} else {text} end"
    if kind == "date" and engine_type.startswith("TIMESTAMP") and not zoned:
        midnight = f"{column} = date_trunc('day', {column})"
        return f"case when {midnight} then cast(cast({column} as DATE) as VARCHAR) else {text} end"
    if kind == "month" and engine_type == "DATE":
        return f"case when day({column}) = 1 then strftime({column}, '%Y-%m') else {text} end"
    return text
