"""The data dictionary: every dataset with its grain, key, owner and columns, written from the declarations alone.

Belongs here: turning declared tables into ``docs/data_dictionary.md``. Does not belong here: the declarations (each stream's
``schemas``, ``derived``).

``make dictionary`` writes it; a test fails when the file and the declarations differ.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandera.pandas as pa

from revenue_integrity import wording
from revenue_integrity.computing.publication_tables import checks_table, publication_table
from revenue_integrity.landing.datasets import batches_table, corrections_table, data_rules_table, quarantine_table
from revenue_integrity.model.dataset import Streamed
from revenue_integrity.model.events import EventLog, Events
from revenue_integrity.model.source import Source, SourceColumn, raw_table
from revenue_integrity.model.stream import Stream, Streams
from revenue_integrity.model.table import Table, table
from revenue_integrity.serving.catalogue import RECON_SUMMARY, United
from revenue_integrity.serving.catalogue import datasets as datasets_of
from revenue_integrity.serving.derived import DERIVED

LAYERS = ("raw", "curated", "gold", "mart", "recon", "close")
"""The order of the layers: the way that data goes."""

PUBLISHED_BY_MONTH = "`<published>/{name}/month=YYYY-MM/data.parquet`"
PUBLISHED_BY_TENANT = "`<published>/{name}/tenant=T/month=YYYY-MM/data.parquet`"
PUBLISHED_BY_DAY = "`<published>/{name}/tenant=T/{slice_column}=YYYY-MM-DD/data.parquet`"
PUBLISHED_BY_STREAM = "`<published>/{name}/stream=STREAM/data.parquet`"
KEPT_IN_FILES = "Parquet files below `events/` of the home"
MADE_WHEN_ASKED = "`revenue-integrity export {name}`"

READ_KINDS = {
    "id": "identifier",
    "enum": "one of a closed set",
    "currency": "ISO 4217 code",
    "int": "integer",
    "dec": "decimal",
    "money": "amount with at most 2 decimals",
    "date": "YYYY-MM-DD",
    "ts": "ISO 8601 instant",
    "month": "YYYY-MM",
    "bool": "true or false",
    "timezone": "IANA time zone",
}
"""How a value is written in the files of a source, by its kind; other kinds are named as they are."""


@dataclass(frozen=True)
class Described:
    """A dataset and what people ask about it beside its columns.

    Attributes:
        table: its declaration.
        place: where it is read.
        key: what names a row, in words.
        source: the source that it holds, for a raw table.
        signed: its measures that a sign-off attests.
        signed_only: which rows are signed, in words; empty for all.
    """

    table: Table
    place: str
    key: str
    source: Source | None = None
    signed: tuple[str, ...] = ()
    signed_only: str = ""


def datasets(streams: Streams) -> list[Described]:
    """Return every dataset, by layer and name."""
    found: list[Described] = []
    for stream in streams:
        signed = {each.table.name: each for each in stream.signed}
        for source in stream.arriving:
            raw = _sent_table(source) if source.is_kept_in_files else raw_table(source)
            place = _of_files(stream) if source.is_kept_in_files else f"warehouse only: `{raw.qualified}`"
            found.append(Described(raw, place, _listed(raw.key), source))
        for each in stream.published_tables:
            attested = signed.get(each.name)
            found.append(
                Described(
                    each,
                    _place(each),
                    _listed(each.key),
                    signed=attested.measures if attested else (),
                    signed_only=f"rows whose `{attested.only[0]}` is `{attested.only[1]}`" if attested and attested.only else "",
                )
            )
        found += [
            Described(rule.table, PUBLISHED_BY_STREAM.format(name=rule.table.name), _listed(rule.table.key))
            for rule in stream.whole
        ]
    found += _of_landing_and_publication(streams)
    made = [each.table for each in (*DERIVED, *(each for stream in streams for each in stream.composed))]
    found += [Described(each, MADE_WHEN_ASKED.format(name=each.name), _listed(each.key)) for each in made]
    return sorted(found, key=lambda each: (LAYERS.index(each.table.layer), each.table.name, each.table.stream))


def _of_files(stream: Stream) -> str:
    """Return where rows are read that stay in files: what counts of them may be a dataset of the stream."""
    streamed = [MADE_WHEN_ASKED.format(name=each.table.name) for each in stream.composed if isinstance(each, Streamed)]
    return f"{KEPT_IN_FILES}; what counts of it with {', '.join(streamed)}" if streamed else KEPT_IN_FILES


def _sent_table(source: Source) -> Table:
    """Return what a row of a source holds whose rows stay in files: what was sent, and where it stands."""
    whole = raw_table(source)
    kept = [*source.stored, "month", "batch_id", "arrival", "file_name", "row_number"]
    columns = [whole.schema.columns[name] for name in whole.columns if name in kept]
    return table(whole.stream, whole.layer, whole.name, whole.description, whole.key, columns, partition=whole.partition)


def _place(published: Table) -> str:
    if not published.part_columns:
        return PUBLISHED_BY_MONTH.format(name=published.name)
    if published.published_slices:
        return PUBLISHED_BY_DAY.format(name=published.name, slice_column=published.slice_column)
    return PUBLISHED_BY_TENANT.format(name=published.name)


def _of_landing_and_publication(streams: Streams) -> Iterator[Described]:
    """Yield what every stream has alike, once."""
    stream = streams.names[0]
    manifest, refused, corrected = batches_table(stream), quarantine_table(stream), corrections_table(stream)
    demanded = data_rules_table(stream)
    yield Described(manifest, PUBLISHED_BY_STREAM.format(name=manifest.name), _listed(manifest.key))
    yield Described(refused, PUBLISHED_BY_STREAM.format(name=refused.name), _listed(refused.identity))
    yield Described(corrected, PUBLISHED_BY_STREAM.format(name=corrected.name), _listed(corrected.key))
    yield Described(demanded, PUBLISHED_BY_STREAM.format(name=demanded.name), _listed(demanded.key))
    published = publication_table(stream)
    for judged in map(checks_table, streams):
        yield Described(judged, PUBLISHED_BY_MONTH.format(name=judged.name), _listed(judged.key))
    yield Described(published, "`<published>/_close/STREAM/month=YYYY-MM/close.json`, its `datasets`", _listed(published.key))


def allowed(declared: pa.Column) -> str:
    """Return in words which values a column may have, empty if its type says all.

    Raises:
        TypeError: the column has a rule that has no words here.
    """
    words: list[str] = []
    for check in declared.checks:
        given = check.statistics or {}
        match check.name:
            case "isin":
                words.append(", ".join(f"`{value}`" for value in given["allowed_values"]))
            case "greater_than_or_equal_to":
                words.append(f"≥ {given['min_value']}")
            case "less_than_or_equal_to":
                words.append(f"≤ {given['max_value']}")
            case "str_matches":
                pattern = str(getattr(given["pattern"], "pattern", given["pattern"]))
                words.append(f"`{pattern.removeprefix('^').removesuffix(chr(92) + 'Z')}`")
            case other:
                raise TypeError(f"column {declared.name}: the rule '{other}' has no words in the dictionary")
    return "; ".join(words)


def markdown(streams: Streams) -> str:
    """Return the whole dictionary as Markdown: the same declarations give the same text."""
    described = datasets(streams)
    united = {name: each for name, each in datasets_of(streams).items() if isinstance(each, United)}
    summaries = _listed(table.name for table in united[RECON_SUMMARY].tables)
    lines = [
        "# Data dictionary",
        "",
        "Generated from the declarations of the tables by `make dictionary`; do not edit it by hand.",
        "",
        "Money is whole **cents** (`BIGINT`); exact costs are currency units with 18 places (`DECIMAL(38,18)`); neither is ever",
        "a float. Quantities are exact decimals. `month` is the service month, stored as the date of its first",
        "day. Instants are UTC. *Null* says whether a value may be missing. `<published>` is `published/` below the home, `T` a",
        "tenant (percent-encoded), `STREAM` is " + " or ".join(f"`{name}`" for name in streams.names) + "; how to read it:",
        "[consume.md](consume.md).",
        "",
        "Every published dataset has a `manifest.json` beside its `data.parquet` with the same description, key, owner, types",
        "and units, and with hash, as-of, batches and checks of that month; a dataset with tenants has one per tenant and month,",
        "`tenant=T/manifest-YYYY-MM.json`.",
        "",
        f"Exports of {_listed(united)} hold the rows of all streams.",
        f"Exports of {summaries} also join `as_of`, `reprocessed_at` and `sign_off_status`",
        "when they are read; they are no content.",
        "",
    ]
    layers = [layer for layer in LAYERS if any(each.table.layer == layer for each in described)]
    for layer in layers:
        members = [each for each in described if each.table.layer == layer]
        lines += [f"- **{layer}**: " + ", ".join(f"[{_name(each)}](#{wording.anchor(_name(each))})" for each in members)]
    for layer in layers:
        lines += ["", f"## Layer {layer}"]
        for each in (each for each in described if each.table.layer == layer):
            lines += ["", *_section(each)]
    return "\n".join(lines) + "\n"


def _name(described: Described) -> str:
    return described.table.qualified


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _section(described: Described) -> Iterator[str]:
    declared = described.table
    yield f"### {_name(described)}"
    yield ""
    yield declared.description
    yield ""
    yield f"- Key: {described.key}"
    yield f"- Partition: {f'`{declared.partition}`' if declared.partition else 'none'}"
    yield f"- Owner: `{declared.owner}`"
    yield f"- Read at: {described.place}"
    if described.signed:
        rows = f", {described.signed_only}" if described.signed_only else ""
        yield f"- Signed: {_listed(described.signed)}{rows}"
    if declared.content_excludes:
        yield f"- No content, never hashed: {_listed(declared.content_excludes)}"
    if described.source:
        yield from _of_source(described.source)
    yield ""
    by_stored = {each.stored: each for each in described.source.columns} if described.source else {}
    head = ["column", *(["in the files"] if described.source else []), "type", "unit", "null", "allowed", "description"]
    yield _row(head)
    yield _row(["---"] * len(head))
    for name in declared.columns:
        held = declared.schema.columns[name]
        sent = [_as_sent(by_stored.get(name))] if described.source else []
        null = "yes" if held.nullable else "no"
        words = str(held.description or "")
        yield _row([f"`{name}`", *sent, declared.sql_type(name), declared.unit(name), null, allowed(held), words])
    for name, former in declared.formerly.items():
        null = "yes" if declared.schema.columns[name].nullable else "no"
        words = f"Deprecated: the former name of `{name}`, with the same values; no content, gone with the next release."
        yield _row([f"`{former}`", declared.sql_type(name), declared.unit(name), null, "", words])


def _of_source(source: Source) -> Iterator[str]:
    yield f"- Lands with: `revenue-integrity land {source.stream} {source.name} FILE`"
    if source.events and not source.events.appends:
        yield f"- Replaced: {_replaced(source.events)}"
    else:
        which = _which_counts(source.events.log) if source.events else _which_stands(source)
        yield f"- A record is named by: {_listed(source.key)}; {which}"
    yield f"- Must be delivered: {'no' if source.optional else 'yes'}"


def _replaced(events: Events) -> str:
    if events.delivery == "append_rows":
        return "nothing; rows are added to what stands, and never deduplicated"
    scope = next(column.description for column in events.log.columns if column.stored == events.log.scope)
    return f"everything earlier of its {scope[0].lower()}{scope[1:].partition(':')[0]}; its own rows are never deduplicated"


def _which_counts(log: EventLog) -> str:
    order = ", then ".join([*(f"`{column}`" for column in log.versions.order), "arrival, file and row"])
    preferred = f"of those with the greatest `{log.versions.prefer}` " if log.versions.prefer else ""
    withdrawn = f"; `{log.ends}` withdraws it" if log.ends else ""
    return f"{preferred}the latest version by {order} counts{withdrawn}"


def _which_stands(source: Source) -> str:
    versions = source.versions
    if not versions.within:
        return "a later row of the same record replaces an earlier one"
    kept = f"a later row replaces an earlier one of the same {_listed(versions.within)}"
    return f"{kept}, then the greatest `{versions.prefer}` stands"


def _as_sent(declared: SourceColumn | None) -> str:
    if declared is None:
        return "added here"
    default = f", `{declared.default}` if empty" if declared.default is not None else ""
    return f"`{declared.name}`: {READ_KINDS.get(declared.kind, declared.kind)}{default}"


def _row(cells: Iterable[str]) -> str:
    # A bar inside a cell would begin another one.
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
