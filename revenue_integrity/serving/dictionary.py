"""The data dictionary: every dataset with its grain, key, owner and columns, written from the declarations alone.

Belongs here: turning declared tables into ``docs/data_dictionary.md``, and declaring the datasets that are derived when
somebody asks, which no rule declares. Does not belong here: what stored tables are (each stream's ``schemas``).

``make dictionary`` writes it; a test fails when the file and the declarations differ.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from revenue_integrity.close.ledger import Action
from revenue_integrity.close.sign_off import Status
from revenue_integrity.computing.publication_tables import checks_table, publication_table
from revenue_integrity.landing.datasets import batches_table, quarantine_table
from revenue_integrity.model import table as column
from revenue_integrity.model.source import Source, SourceColumn, raw_table
from revenue_integrity.model.stream import Streams
from revenue_integrity.model.table import Table, table
from revenue_integrity.schema_library import pa
from revenue_integrity.serving.export import FOCUS_1_2
from revenue_integrity.streams.cloud import focus
from revenue_integrity.streams.cloud.schemas import CLOUD_EVENTS, cost

LAYERS = ("raw", "curated", "mart", "recon", "close")
"""The order of the layers: the way that data goes."""

PUBLISHED_BY_MONTH = "`<published>/{name}/month=YYYY-MM/data.parquet`"
PUBLISHED_BY_TENANT = "`<published>/{name}/tenant=T/month=YYYY-MM/data.parquet`"
PUBLISHED_BY_DAY = "`<published>/{name}/tenant=T/{slice_column}=YYYY-MM-DD/data.parquet`"
PUBLISHED_BY_STREAM = "`<published>/{name}/stream=STREAM/data.parquet`"
KEPT_IN_FILES = "Parquet files below `events/` of the home; what counts of it with `revenue-integrity export cloud_events`"

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


_OF_MEASURE = "of the measure"
"""The unit of a figure that is cents in one row and currency units in another."""


def derived_tables(stream: str) -> tuple[Table, ...]:
    """Return the declarations of the datasets that are derived when somebody asks, and stored nowhere."""
    return (
        table(
            stream,
            "close",
            "close_status",
            "How the sign-off of each month stands, one row per month; derived when it is read, never stored.",
            ("month",),
            [
                column.month(),
                column.text("status", "How the month stands.", isin=[str(each) for each in Status]),
                column.integer("version", "Latest signed version; 0 if the month was never signed.", unit="versions", ge=0),
                column.text("content_hash", "SHA-256 of what would be signed now; empty if nothing is published.", null=True),
                column.text("signed_hash", "SHA-256 of what was signed.", null=True),
                column.text("prepared_by", "Who prepared the version that is signed or waits for approval.", null=True),
                column.text("approved_by", "Who approved the signed version.", null=True),
                column.text("signed_at", "When it was approved (ISO 8601, UTC).", null=True, unit="UTC"),
                column.json_text(
                    "blocking", "Checks that stand in the way: stream, table, check, gate, state, figures, next step."
                ),
                column.json_text("waivers", "Waivers in force: stream, table, check, actor, reason, time."),
                column.flag("explanation_updated", "Whether causes or wording changed after the signature, and no cent did."),
                column.text("as_of", "Arrival of the latest batch that the content can know (ISO 8601 basic, UTC).", unit="UTC"),
                column.text("reopened_because", "Why a signed month is open again; empty for every other month."),
            ],
        ),
        table(
            stream,
            "close",
            "restatement",
            "What changed since a signed version, one row per row and measure that changed; deltas add up to the totals' change.",
            ("month", "from_version", "dataset", "key", "measure"),
            [
                column.month(),
                column.integer("from_version", "The signed version that is compared with.", unit="versions", ge=1),
                column.text("dataset", "The dataset that changed."),
                column.json_text("key", "The key of the row without its month, as JSON."),
                column.text("measure", "The column that changed."),
                column.decimal("old", "Value as signed; 0 for a row that was not there.", unit=_OF_MEASURE, places=12, digits=38),
                column.decimal("new", "Value now; 0 for a row that is gone.", unit=_OF_MEASURE, places=12, digits=38),
                column.decimal("delta", "New less old.", unit=_OF_MEASURE, places=12, digits=38),
                column.text("cause", "What made the difference.", isin=("data", "code", "settings")),
                column.json_text("batches", "Batches that are new since the signature."),
            ],
        ),
        table(
            stream,
            "close",
            "sign_off_ledger",
            "Decisions about months, one row per entry of the append-only ledger, each chained to the one before by its hash.",
            ("seq",),
            [
                column.integer("seq", "Number of the entry, from 1 without gaps.", unit="entries", ge=1),
                column.text("month", "Service month, as YYYY-MM."),
                column.integer("version", "Version of the month that the entry is about.", unit="versions", ge=1),
                column.text("action", "What was done.", isin=[str(each) for each in Action]),
                column.text("actor", "Who did it, as named to the product."),
                column.text("os_user", "Account under which the process ran."),
                column.text("host", "Machine on which it ran."),
                column.text("at", "When (ISO 8601, microseconds, UTC).", unit="UTC"),
                column.text("content_hash", "SHA-256 of the signed content at that moment."),
                column.text("as_of", "Arrival of the latest batch that the content can know.", unit="UTC"),
                column.json_text("batches", "Batches behind the content: id and digest of each."),
                column.text("settings_hash", "SHA-256 of the settings that the content rests on."),
                column.text("code_version", "SHA-256 of the rules that made the content."),
                column.json_text("checks", "What each check said; of a waiver, the check that it lets through."),
                column.text("comment", "The words of the actor."),
                column.text("prev_hash", "Hash of the entry before; zeros for the first."),
                column.text("hash", "SHA-256 of the canonical JSON of the other fields that an entry of this format has."),
                column.integer(
                    "format", "Which fields the entry has; one of format 1 does not say it itself.", unit="format", ge=1
                ),
                column.text("book", "The book that it is about; an entry of format 1 has none.", null=True),
                column.json_text(
                    "subject", "What the act is about beside book and month; an entry of format 1 has none.", null=True
                ),
            ],
            partition="",
        ),
    )


def composed_tables() -> tuple[Table, ...]:
    """Return the declarations of the datasets that are put together from events or from what is published, when asked for."""
    said = {
        "BilledCost": "Cost of the day (`total_cost`), exact.",
        "BillingAccountId": "The tenant.",
        "BillingAccountName": "The tenant.",
        "BillingAccountType": "Always Tenant.",
        "BillingCurrency": "Currency of the deployment.",
        "BillingPeriodEnd": "First instant of the next month (UTC).",
        "BillingPeriodStart": "First instant of the month (UTC).",
        "ChargeCategory": "Always Usage.",
        "ChargeClass": "Always empty: corrections are in the cost.",
        "ChargeDescription": "Names the service.",
        "ChargePeriodEnd": "First instant of the next day (UTC).",
        "ChargePeriodStart": "First instant of the day (UTC).",
        "ContractedCost": "Equals BilledCost: no negotiated price is known.",
        "EffectiveCost": "Amortised cost (`effective_cost`), BilledCost where there is none.",
        "InvoiceIssuerName": "The setting focus_provider_name.",
        "ListCost": "Equals BilledCost: no list price is known.",
        "PricingQuantity": "Events and charge rows that count.",
        "PricingUnit": "Always Events.",
        "ProviderName": "The setting focus_provider_name.",
        "PublisherName": "The setting focus_provider_name.",
        "ServiceCategory": "Category of the service where it is one of the standard's, else Other.",
        "ServiceName": "The service.",
        "SubAccountId": "The account.",
        "SubAccountName": "Name of the account; empty where the look-up lacks it.",
        "SubAccountType": "Always Account.",
    }
    columns = []
    for name in focus.COLUMNS:
        if name.endswith("Cost"):
            columns.append(cost(name, said[name]))
        elif name == "PricingQuantity":
            columns.append(column.integer(name, said[name], unit="rows", ge=1))
        else:
            columns.append(column.text(name, said[name], null=name in ("ChargeClass", "SubAccountName")))
    exported = table(
        CLOUD_EVENTS.stream,
        "mart",
        FOCUS_1_2,
        "Daily cost as a FOCUS 1.2 file, one row per row of `account_service_day`; land it as `focus` elsewhere.",
        ("BillingAccountId", "SubAccountId", "ServiceName", "ChargePeriodStart"),
        columns,
        partition="",
    )
    return CLOUD_EVENTS, exported


def datasets(streams: Streams) -> list[Described]:
    """Return every dataset, by layer and name."""
    found: list[Described] = []
    for stream in streams:
        signed = {each.table.name: each for each in stream.signed}
        for source in stream.sources:
            raw = _sent_table(source) if source.is_kept_in_files else raw_table(source)
            place = KEPT_IN_FILES if source.is_kept_in_files else f"warehouse only: `{raw.qualified}`"
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
    found += _of_landing_and_publication(streams)
    found += [
        Described(each, f"`revenue-integrity export {each.name}`", _listed(each.key))
        for each in (*derived_tables(streams.names[0]), *composed_tables())
    ]
    return sorted(found, key=lambda each: (LAYERS.index(each.table.layer), each.table.name, each.table.stream))


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
    manifest, refused = batches_table(stream), quarantine_table(stream)
    yield Described(manifest, PUBLISHED_BY_STREAM.format(name=manifest.name), _listed(manifest.key))
    yield Described(refused, PUBLISHED_BY_STREAM.format(name=refused.name), _listed(refused.identity))
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
    lines = [
        "# Data dictionary",
        "",
        "Generated from the declarations of the tables by `make dictionary`; do not edit it by hand.",
        "",
        "Money is whole **cents** (`BIGINT`); costs of the cloud stream are currency units with 12 places (`DECIMAL(38,12)`);",
        "neither is ever a float. Quantities are exact decimals. `month` is the service month, stored as the date of its first",
        "day. Instants are UTC. *Null* says whether a value may be missing. `<published>` is `published/` below the home, `T` a",
        "tenant (percent-encoded), `STREAM` is " + " or ".join(f"`{name}`" for name in streams.names) + "; how to read it:",
        "[consume.md](consume.md).",
        "",
        "Every published dataset has a `manifest.json` beside its `data.parquet` with the same description, key, owner, types",
        "and units, and with hash, as-of, batches and checks of that month; a dataset with tenants has one per tenant and month,",
        "`tenant=T/manifest-YYYY-MM.json`.",
        "",
        "Exports of `recon_summary` and `cloud_recon_summary` also join `as_of`, `reprocessed_at` and `sign_off_status` when",
        "they are read; they are no content. Exports of `recon_results` and `recon_summary` hold the rows of both streams.",
        "",
    ]
    for layer in LAYERS:
        members = [each for each in described if each.table.layer == layer]
        lines += [f"- **{layer}**: " + ", ".join(f"[{_name(each)}](#{_anchor(each)})" for each in members)]
    for layer in LAYERS:
        lines += ["", f"## Layer {layer}"]
        for each in (each for each in described if each.table.layer == layer):
            lines += ["", *_section(each)]
    return "\n".join(lines) + "\n"


def _name(described: Described) -> str:
    return described.table.qualified


def _anchor(described: Described) -> str:
    # How a renderer makes an anchor of a heading: dots go, underscores stay.
    return _name(described).replace(".", "")


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
    if source.delivery in ("overwrite_scope", "append_rows"):
        yield f"- Replaced: {_DELIVERED[source.delivery]}"
    else:
        yield f"- A record is named by: {_listed(source.key)}; {_DELIVERED.get(source.delivery) or _which_stands(source)}"
    yield f"- Must be delivered: {'no' if source.optional else 'yes'}"


_DELIVERED = {
    "append_events": "the version with the latest `ingested_at` counts, then by arrival, file and row; `is_deleted` withdraws it",
    "overwrite_scope": "everything earlier of its provider, billing account and period; its own rows are never deduplicated",
    "append_rows": "nothing; rows are added to what stands, and never deduplicated",
}


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
