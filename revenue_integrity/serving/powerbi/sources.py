"""Where the tables of the model are read from, in Power Query's language (M): published Parquet, or a delivery's database.

Belongs here: these queries and the parameters that they share. Does not belong here: which tables and columns (``model``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from revenue_integrity.serving.powerbi.model import Column, ModelTable

_M_TYPES = {
    "string": "type text",
    "int64": "Int64.Type",
    "decimal": "Currency.Type",
    "double": "type number",
    "boolean": "type logical",
}

_IN_UNITS = "each if _ = null then null else Number.From(_) / 100, Currency.Type"


@dataclass(frozen=True)
class Source:
    """What the tables are read from.

    Attributes:
        parameters: what whoever opens the project may set, with the values it has first.
        reader: the function of M that opens a database; empty for published files.
        money_in_units: whether whole cents have become currency units there.
        views: the datasets of which readers have a view, with its name.
    """

    parameters: Mapping[str, str]
    reader: str = ""
    money_in_units: bool = False
    views: Mapping[str, str] = field(default_factory=dict)


def query(source: Source, table: ModelTable) -> list[str]:
    """Return the query of a table, line by line."""
    columns = table.columns
    there = {each.source: each.delivered if source.money_in_units else each.source for each in columns}
    # A delivery in units leaves those in cents whose name is taken.
    in_cents = [each for each in columns if each.is_money and there[each.source] == each.source]
    renames = [(there[each.source], each.name) for each in columns if there[each.source] != each.name]
    lines = [*_rows(source, table.name), f"Kept = Table.SelectColumns(Rows, {_names(there.values())}, MissingField.UseNull)"]
    last = "Kept"
    if in_cents:
        divided = ", ".join(f"{{{_text(each.source)}, {_IN_UNITS}}}" for each in in_cents)
        lines.append(f"Units = Table.TransformColumns({last}, {{{divided}}})")
        last = "Units"
    if renames:
        named = ", ".join(f"{{{_text(before)}, {_text(after)}}}" for before, after in renames)
        lines.append(f"Named = Table.RenameColumns({last}, {{{named}}})")
        last = "Named"
    types = ", ".join(f"{{{_text(each.name)}, {_m_type(each)}}}" for each in columns)
    lines.append(f"Typed = Table.TransformColumnTypes({last}, {{{types}}})")
    return ["let", *(f"    {line}," for line in lines[:-1]), f"    {lines[-1]}", "in", "    Typed"]


def calendar_query(first: date, last: date | None) -> list[str]:
    """Return the query of the months from the first to the last, by default the one after the present."""
    end = (
        f"#date({last.year}, {last.month}, 1)"
        if last
        else "Date.StartOfMonth(Date.AddMonths(DateTime.Date(DateTime.LocalNow()), 1))"
    )
    return [
        "let",
        f"    First = #date({first.year}, {first.month}, 1),",
        f"    Last = {end},",
        "    Count = (Date.Year(Last) - Date.Year(First)) * 12 + Date.Month(Last) - Date.Month(First) + 1,",
        "    Months = List.Transform(List.Numbers(0, Count), each Date.AddMonths(First, _)),",
        "    Rows = Table.FromList(Months, Splitter.SplitByNothing(), type table [month = date]),",
        '    Years = Table.AddColumn(Rows, "year", each Date.Year([month]), Int64.Type),',
        '    Quarters = Table.AddColumn(Years, "quarter", each Date.QuarterOfYear([month]), Int64.Type),',
        '    Typed = Table.AddColumn(Quarters, "month_no", each Date.Month([month]), Int64.Type)',
        "in",
        "    Typed",
    ]


def _rows(source: Source, dataset: str) -> Sequence[str]:
    if source.reader:
        relation = _text(source.views.get(dataset, dataset))
        return [f"Rows = {source.reader}(Server, Database){{[Schema = Schema, Item = {relation}]}}[Data]"]
    return [
        f'Files = Table.SelectRows(Folder.Files(Published & "\\{dataset}"), each [Name] = "data.parquet")',
        "Rows = Table.Combine(List.Transform(Files[Content], each Parquet.Document(Binary.Buffer(_))))",
    ]


def _m_type(column: Column) -> str:
    if column.data_type == "dateTime":
        return "type datetime" if column.kind == "instant" else "type date"
    return _M_TYPES[column.data_type]


def _names(names: Iterable[str]) -> str:
    return "{" + ", ".join(map(_text, names)) + "}"


def _text(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
