"""Every number and path that somebody may want to change: typed, with its unit and default, refused at the start if wrong.

Belongs here: the settings that all streams share, how those of one stream join them, and where the home's files stand. Does
not belong here: a stream's own settings (its ``settings``), what is said of one that cannot be read (``settings_reading``),
what is in those files.

Values come from the environment (``REVENUE_INTEGRITY_FIRST_MONTH=2024-01``, lists as JSON), then from the TOML file that
``REVENUE_INTEGRITY_CONFIG`` names, then from the defaults below. Every setting has one name, by which rules and fingerprints
know it; a stream's own may also stand in the stream's section (``[boats]``, ``REVENUE_INTEGRITY_BOATS__…``), there without the
stream's name in front.
"""

import json
import re
import zoneinfo
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from revenue_integrity import clock, months
from revenue_integrity.days_off import days_off, with_edition
from revenue_integrity.errors import SettingsError, UsageError

PREFIX = "REVENUE_INTEGRITY_"


def _month(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return months.parse(value)
        except UsageError as error:
            raise ValueError(str(error)) from error
    return value


def _computable(month: date) -> date:
    """Refuse months around which calendars and engines have no room to look back and ahead."""
    if not _FIRST_YEAR <= month.year <= _LAST_YEAR:
        raise ValueError(f"must lie between {_FIRST_YEAR}-01 and {_LAST_YEAR}-12")
    return month


_FIRST_YEAR, _LAST_YEAR = 1900, 2199

LARGEST = 10**15
"""The largest number that a setting may be: beyond every amount of cents, and exact whoever computes with it."""

Month = Annotated[date, BeforeValidator(_month), AfterValidator(_computable), PlainSerializer(months.label, return_type=str)]
Share = Annotated[Decimal, Field(ge=0, le=1)]


def _channel_url(value: SecretStr) -> SecretStr:
    if not re.match(r"[a-zA-Z][a-zA-Z0-9]*://.", value.get_secret_value()):
        raise ValueError("must be an Apprise URL such as slack://token/#channel or json://host:port")
    return value


ChannelUrl = Annotated[SecretStr, AfterValidator(_channel_url)]
"""Where alerts go. The whole URL is a secret: services put their tokens into it."""


def _known_zone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
        raise ValueError("must be an IANA time zone such as UTC or America/New_York")
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]


def _known_calendar(name: str) -> str:
    days_off(name, clock.now().year)
    return name


HolidayCalendar = Annotated[str, AfterValidator(_known_calendar)]
BookName = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_-]*$")]
"""A book's name: folders are called like it, so that it holds no dot, no slash, and never looks like a month."""


def _checkout_data() -> Path:
    return Path(__file__).resolve().parent.parent / "data"


class PullSource(BaseModel):
    """A source that is read from a database on a schedule. Secrets stand in the environment, never here.

    Attributes:
        stream, source: the source that the rows are for.
        url_env: what holds the database's URL: an environment variable by its name, ``file:PATH`` or ``command:PROGRAM …``.
        table: the table to read, or
        query: the select to read.
        cursor: a column that only grows; without it everything is read each time.
        cron: when, in ``close_timezone``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stream: str
    source: str
    url_env: str = Field(pattern="^((env:)?[A-Za-z_][A-Za-z0-9_]*|file:/.+|command:.+)$")
    table: str | None = None
    query: str | None = None
    cursor: str | None = None
    cron: str = "15 * * * *"

    @model_validator(mode="after")
    def _one_of_both(self) -> "PullSource":
        if (self.table is None) == (self.query is None):
            raise ValueError("name exactly one of table and query")
        return self


class Selection(BaseModel):
    """What of the home goes somewhere; what names nothing means all.

    Attributes:
        streams: only datasets of these streams.
        datasets: only these datasets.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    streams: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()


DatabaseName = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


class Delivery(BaseModel):
    """A database that datasets are brought into. Secrets stand in the environment, never here.

    Attributes:
        name: what it is called: in commands, alerts and the record that the database keeps.
        url_env: what holds the database's URL: an environment variable by its name, ``file:PATH`` or ``command:PROGRAM …``.
        schema_name: the schema of its tables (``schema`` in the file); it is made if it is not there.
        select: which datasets; all by default.
        when: as they are published, or as they were signed last.
        money: currency units with two places (``x_cents`` is ``x`` there), or whole cents.
        tenant: whose rows alone; only datasets that know tenants are brought then.
        readers: which datasets a role of the database may read.
        hide: columns that readers do not see; they read a view without them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(pattern="^[a-z][a-z0-9_-]{0,62}$")
    url_env: str = Field(pattern="^((env:)?[A-Za-z_][A-Za-z0-9_]*|file:/.+|command:.+)$")
    schema_name: DatabaseName = Field(alias="schema")
    select: Selection = Selection()
    when: Literal["published", "signed"] = "published"
    money: Literal["units", "cents"] = "units"
    tenant: str | None = Field(None, min_length=1)
    readers: dict[Annotated[str, Field(min_length=1, max_length=63)], tuple[str, ...]] = {}
    hide: tuple[str, ...] = ()


def _deliveries_apart(deliveries: tuple[Delivery, ...]) -> tuple[Delivery, ...]:
    """Refuse two deliveries of one name, and two that would write into the same tables."""
    for what, of_each in (
        ("the name", [each.name for each in deliveries]),
        ("url_env and schema", [(each.url_env, each.schema_name) for each in deliveries]),
    ):
        if len(set(of_each)) != len(of_each):
            raise ValueError(f"two deliveries have {what} in common; each needs its own")
    return deliveries


Deliveries = Annotated[tuple[Delivery, ...], AfterValidator(_deliveries_apart)]


def _plain(value: Any) -> Any:
    """Return a bound as the text that stands in a file: numbers and days of TOML are written back."""
    if isinstance(value, float):
        return format(Decimal(str(value)), "f")
    return str(value) if isinstance(value, int | date | Decimal) and not isinstance(value, bool) else value


Bound = Annotated[str, BeforeValidator(_plain), Field(min_length=1)]


class DataRule(BaseModel):
    """What a deployment demands of a column of a source, beside what the source's contract demands of every deployment.

    Attributes:
        name: what it is called: its check, and what quarantine and alerts know it by.
        column: the column, as files name it.
        required: whether a row must have a value.
        min, max: the smallest and the largest allowed value of a number, date, month or instant, as files write it.
        among: the allowed values (``in`` in the file), compared as the column compares its values.
        pattern: a regular expression that the whole value must match.
        action: whether a row that breaks it is refused, or a check of its name fails.
        because: why the deployment demands it; stands behind the reason.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(pattern="^[a-z][a-z0-9_]{0,99}$")
    column: str = Field(min_length=1)
    required: bool = False
    min: Bound | None = None
    max: Bound | None = None
    among: Annotated[tuple[Bound, ...], Field(min_length=1)] | None = Field(None, alias="in")
    pattern: str | None = None
    action: Literal["refuse", "warn"] = "refuse"
    because: str = Field(min_length=1, max_length=300)

    @field_validator("because")
    @classmethod
    def _in_a_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("must be one line of plain text")
        return value

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"is no regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _demands_something(self) -> "DataRule":
        if not (self.required or self.min or self.max or self.among or self.pattern is not None):
            raise ValueError("demands nothing: say required, min, max, in or pattern")
        return self


def _by_source(value: Any) -> Any:
    """Return a table by ``STREAM.SOURCE``, also where the file has it as a table of tables."""
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, given in value.items():
        nested = isinstance(given, dict) and "." not in str(name)
        found |= {f"{name}.{source}": each for source, each in given.items()} if nested else {name: given}
    if wrong := [name for name in found if str(name).count(".") != 1]:
        raise ValueError(f"{wrong[0]} is no STREAM.SOURCE")
    return found


def _rules_named_once(rules: dict[str, tuple[DataRule, ...]]) -> dict[str, tuple[DataRule, ...]]:
    for source, of_source in rules.items():
        names = [rule.name for rule in of_source]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{source}: {', '.join(twice)} stands twice; a rule is known by its name")
    return rules


DataRules = Annotated[dict[str, tuple[DataRule, ...]], BeforeValidator(_by_source), AfterValidator(_rules_named_once)]
Span = Annotated[str, Field(pattern="^[1-9][0-9]{0,3}(h|d|w|mo)$")]
"""A span of time: hours, days, weeks or months (``12h``, ``1d``, ``1w``, ``1mo``)."""


class BookSettings(BaseModel):
    """A book: streams that are signed together, and what they have set otherwise than the home.

    Attributes:
        streams: its streams.
        first_month: its first month; by default the first that rows of its streams name.
        cutoff_business_day, close_timezone, holidays, holiday_calendar, close_due_business_day, sequential_close, preparers,
            approvers: as the settings of these names, which stand where the book sets nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    streams: tuple[str, ...]
    first_month: Month | None = None
    cutoff_business_day: Annotated[int, Field(ge=1, le=20)] | None = None
    close_timezone: TimeZone | None = None
    holidays: tuple[date, ...] | None = None
    holiday_calendar: HolidayCalendar | None = None
    close_due_business_day: Annotated[int, Field(ge=1, le=23)] | None = None
    sequential_close: bool | None = None
    preparers: tuple[str, ...] | None = None
    approvers: tuple[str, ...] | None = None

    @property
    def own(self) -> dict[str, Any]:
        """What it sets otherwise than the home, by the setting's name."""
        given = self.model_fields_set - {"streams", "first_month"}
        return {name: value for name in sorted(given) if (value := getattr(self, name)) is not None}


class Settings(BaseSettings):
    """The settings of one deployment that all streams share. Shares are fractions (0.01 = 1 %).

    A subclass with ``stream`` declares the settings of that stream; ``joined`` makes one class of them all.
    """

    stream: ClassVar[str] = ""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    # Places
    home: Path = Field(default_factory=_checkout_data, description="Directory that holds all state.")
    landing: Path | None = Field(None, description="Landing zone; by default `landing` in the home.")
    inbox: Path | None = Field(
        None, description="Where files are dropped that become batches by themselves; by default `inbox` in the home."
    )
    inbox_settle_seconds: int = Field(
        60, ge=0, description="How long a dropped file must have stayed as it is before it is taken (seconds)."
    )
    published: Path | None = Field(None, description="Published data; by default `published` in the home.")

    # Months
    first_month: Month = Field(
        date(2024, 1, 1),
        description="First service month of the deployment; by default the first that data name from 2024-01 on.",
    )
    last_month: Month | None = Field(
        None,
        description="Last service month; by default the month after the last that data name, at most the one after the present.",
    )

    # Sources
    currency: str = Field("USD", pattern="^[A-Z]{3}$", description="The deployment's currency (ISO 4217).")
    pull_sources: tuple[PullSource, ...] = Field(
        (), description="Sources that are read from databases: stream, source, url_env, table or query, cursor, cron."
    )
    pull_overlap_seconds: int = Field(
        3600, ge=0, description="How far an incremental pull by instant reaches back behind the last one (seconds)."
    )
    pull_overlap_rows: int = Field(1000, ge=0, description="The same for a cursor of whole numbers (cursor values).")

    # Where it goes
    deliveries: Deliveries = Field(
        (),
        description="Databases that datasets go into: name, url_env, schema, select (streams, datasets), when (published,"
        " signed), money (units, cents), tenant, readers, hide.",
    )

    # Limits of what is read
    limit_columns: int = Field(2000, ge=1, le=100_000, description="Columns of a file, or keys of a JSON object, that are read.")
    limit_row_mib: int = Field(
        16, ge=1, le=1024, description="Size of a row, and so of each of its cells, up to which it is read (MiB)."
    )
    limit_nesting: int = Field(100, ge=1, le=500, description="How deep JSON may nest.")

    # Events
    engine: Literal["duckdb", "spark"] = Field("duckdb", description="What runs the stages over event logs.")
    spark_config: dict[str, str] = Field(
        {}, description="Configuration of Spark, for example spark.master; by default a local one on all processors."
    )
    tenant: str | None = Field(
        None,
        description="Whom this process reads for: only this tenant's rows of what is published, and nothing else of the home.",
    )

    # Close
    cutoff_business_day: int = Field(5, ge=1, le=20, description="Business day of the next month whose end is the cutoff.")
    close_timezone: TimeZone = Field("UTC", description="IANA time zone of the cutoff.")
    holidays: tuple[date, ...] = Field((), description="Days that are no business days, beside weekends.")
    holiday_calendar: HolidayCalendar | None = Field(
        None,
        description="Calendar whose days off are no business days either: a country (US), a region (US-CA), a market (NYSE).",
    )
    close_due_business_day: int = Field(15, ge=1, le=23, description="Business day by which a month should be signed off.")
    tolerance_cents: int = Field(100, ge=0, description="Variance of a row that nobody must act on (cents).")
    tolerance_share: Share = Field(Decimal("0.01"), description="Or this share of the row's right side.")
    materiality_cents: int = Field(100_000, ge=0, description="Gross cents of causes that a month may carry (cents) ...")
    materiality_share: Share = Field(Decimal("0.005"), description="... or this share of its expected revenue or power cost.")
    preparers: tuple[str, ...] = Field((), description="Who may prepare a month; BOOK:NAME in that book alone.")
    approvers: tuple[str, ...] = Field((), description="Who may approve, waive and reopen; BOOK:NAME in that book alone.")
    sequential_close: bool = Field(True, description="A month can only be signed after the month before it.")
    books: dict[BookName, BookSettings] = Field(
        {},
        description="Streams that are signed together, by the book's name; a stream that no book names is one of its own name.",
    )

    # Data quality
    quarantine_warn_share: Share = Field(Decimal("0.01"), description="Quarantined share of a month's rows that warns.")
    quarantine_publish_share: Share = Field(Decimal("0.05"), description="Quarantined share that stops publishing.")

    data_rules: DataRules = Field(
        {},
        description="What the deployment demands of columns, by STREAM.SOURCE: name, column, required | min | max | in | pattern,"
        " action (refuse, warn), because.",
    )
    expected_every: Annotated[dict[str, Span], BeforeValidator(_by_source)] = Field(
        {}, description="How often a source is to deliver, by STREAM.SOURCE: 1d, 1w, 1mo."
    )
    expected_grace: Span = Field("1d", description="How long after that a source is overdue.")

    # Alerts
    alert_variance: dict[Literal["info", "warning", "critical"], Share] = Field(
        {"info": Decimal("0.01"), "warning": Decimal("0.03"), "critical": Decimal("0.1")},
        description="Gross variance of a reconciliation, as a share of its right side, from which a breach has a severity.",
    )
    alert_on: dict[str, Literal["info", "warning", "critical"]] = Field(
        dict.fromkeys(
            (
                "costs_move_believably",
                "days_are_complete",
                "deliveries_are_in_time",
                "data_quality_does_not_fall",
                "reads_are_complete",
            ),
            "info",
        ),
        description="Checks that only warn and are told all the same, each with its severity.",
    )
    alert_channels: dict[Literal["info", "warning", "critical"], tuple[ChannelUrl, ...]] = Field(
        {}, description="Channels by severity, as Apprise URLs; a severity not named uses those of the next lower one."
    )
    alert_escalation_channels: tuple[ChannelUrl, ...] = Field(
        (), description="Channels that an unresolved critical alert goes to, one after the other."
    )
    alert_escalate_after_minutes: int = Field(
        60, ge=1, description="How long a critical alert may stay unresolved before it goes to the next channel (minutes)."
    )
    alert_retry_minutes: int = Field(
        1, ge=1, le=360, description="Wait after a channel's first failure; it doubles with each, up to six hours (minutes)."
    )

    # Machine
    memory_limit: str = Field(
        "2GB", pattern=r"^\d+(\.\d+)?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$", description="Memory limit of the engine."
    )
    threads: int = Field(
        0, ge=0, le=1024, description="Threads of the engine; 0 means one for each processor that the process may use."
    )
    lock_timeout_seconds: int = Field(300, ge=0, description="How long to wait for another writer (seconds).")
    disk_reserve_gib: int = Field(2, ge=0, description="Free disk below which `doctor` warns (GiB).")
    ui_port: int = Field(3000, ge=1, le=65535, description="Port of the UI on 127.0.0.1.")
    ui_hosts: tuple[str, ...] = Field(
        (), description="Names under which a proxy or tunnel shows the UI, beside 127.0.0.1 and localhost."
    )
    ui_auth: Literal["secret", "proxy"] = Field(
        "secret", description="Who may open the UI: who has the secret of its start, or whom an authenticating proxy names."
    )
    ui_user_header: str = Field(
        "X-Forwarded-User", pattern=r"^[A-Za-z0-9-]+$", description="Header in which the proxy names its user."
    )

    # Record of runs
    run_days: int = Field(
        60,
        ge=1,
        description="How long a run stays on record on which neither the state of a month nor a signature rests (days).",
    )
    compute_log_days: int = Field(14, ge=1, description="How long what a run printed is kept, however long the run is (days).")
    tick_days: int = Field(7, ge=1, description="How long stays on record what sensors did, from minute to minute (days).")

    # Logs
    log_file_mib: int = Field(10, ge=1, le=1024, description="Size at which a log file is put aside (MiB).")
    log_files: int = Field(10, ge=2, le=1000, description="Log files kept, the present one included.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let arguments win over the environment, and the environment over the TOML file."""
        import os

        toml = os.environ.get(f"{PREFIX}CONFIG")
        sources = (init_settings, env_settings, _SectionVariables(settings_cls))
        return (*sources, _SectionedFile(settings_cls, Path(toml))) if toml else sources

    @field_validator("*")
    @classmethod
    def _bearable(cls, value: Any) -> Any:
        if isinstance(value, int | Decimal) and abs(Decimal(value)) > LARGEST:
            raise ValueError(f"must be at most {LARGEST}")
        return value

    @field_validator("home", "landing", "published", "inbox", mode="before")
    @classmethod
    def _named(cls, path: Any) -> Any:
        # An empty path is the directory in which the command happens to be started.
        if path is not None and not str(path).strip():
            raise ValueError("names no directory; unset it, or name one")
        return path

    @field_validator("home", "landing", "published", "inbox")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path else path

    @field_validator("pull_sources")
    @classmethod
    def _each_source_once(cls, pulled: tuple[PullSource, ...]) -> tuple[PullSource, ...]:
        names = [f"{each.stream}.{each.source}" for each in pulled]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} stands twice; join both in one query")
        return pulled

    @model_validator(mode="after")
    def _months_in_order(self) -> "Settings":
        if self.last_month and self.last_month < self.first_month:
            raise ValueError(f"last_month {self.last_month:%Y-%m} lies before first_month {self.first_month:%Y-%m}")
        if self.quarantine_warn_share > self.quarantine_publish_share:
            raise ValueError("quarantine_warn_share must not exceed quarantine_publish_share")
        return self

    @property
    def landing_path(self) -> Path:
        """The landing zone."""
        return self.landing or self.home / "landing"

    @property
    def inbox_path(self) -> Path:
        """Where files are dropped."""
        return self.inbox or self.home / "inbox"

    @property
    def published_path(self) -> Path:
        """Where published data stand."""
        return self.published or self.home / "published"

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file."""
        return self.home / "warehouse.duckdb"

    @property
    def catalog_path(self) -> Path:
        """Directory of fingerprints, readable without opening the warehouse."""
        return self.home / "catalog"

    @property
    def dagster_path(self) -> Path:
        """The Dagster instance."""
        return self.home / "dagster"

    @property
    def ledger_path(self) -> Path:
        """The sign-off ledger."""
        return self.home / "ledger"

    @property
    def packs_path(self) -> Path:
        """The close packs."""
        return self.home / "packs"

    @property
    def alerts_path(self) -> Path:
        """The outbox of alerts."""
        return self.home / "alerts"

    @property
    def logs_path(self) -> Path:
        """Log files."""
        return self.home / "logs"

    def past_world(self, as_of: datetime) -> "Settings":
        """Return the settings of a past world: the same landing zone, a home of its own below the home."""
        home = self.home / "as_of" / f"{as_of:%Y%m%dT%H%M%SZ}"
        return self.model_copy(update={"home": home, "landing": self.landing_path, "published": home / "published"})

    def of_book(self, name: str) -> "Settings":
        """Return the settings as a book has them: its own first, and roles that are given in it without its name."""
        own = self.books[name].own if name in self.books else {}
        for setting in ("preparers", "approvers"):
            roles = own.get(setting, getattr(self, setting))
            if any(":" in role for role in roles):
                own[setting] = tuple(
                    role.removeprefix(f"{name}:") for role in roles if ":" not in role or role.startswith(f"{name}:")
                )
        return self.model_copy(update=own) if own else self

    def of_stream(self, name: str) -> "Settings":
        """Return the settings as the book of a stream has them: what its rules and checks rest on."""
        return self.of_book(next((book for book, declared in self.books.items() if name in declared.streams), name))

    @property
    def demo_path(self) -> Path:
        """The mark of a demo home."""
        return self.home / "demo"

    @property
    def simulated_from(self) -> date | None:
        """The first month that was simulated, in a demo home whose mark names it."""
        if not self.demo_path.exists():
            return None
        named = re.search(r"simulated from (\d{4}-\d{2})", self.demo_path.read_text(encoding="utf-8"))
        return months.parse(named[1]) if named else None

    def names(self, setting: str) -> bool:
        """Return whether somebody set a setting; otherwise it has its default."""
        return setting in self.model_fields_set

    @cached_property
    def months(self) -> list[date]:
        """The service months that the deployment may have, in order; which it has, its data say (``computing.horizon``)."""
        return months.between(self.first_month, self.last_month or months.add(clock.now().date(), 1))

    def values(self, *names: str) -> dict[str, str]:
        """Return some settings as canonical text, lists and tables as JSON: what a fingerprint holds of them, and people read."""
        dumped = self.model_dump(mode="json", include=set(names))
        missing = set(names) - set(dumped)
        if missing:
            raise KeyError(f"no such setting: {sorted(missing)}")
        if "holiday_calendar" in names and self.holiday_calendar:
            # The name stands for its days, and another edition of the library may know other ones.
            dumped["holiday_calendar"] = with_edition(self.holiday_calendar)
        return {
            name: json.dumps(dumped[name], ensure_ascii=False, sort_keys=True)
            if isinstance(dumped[name], dict | list)
            else str(dumped[name])
            for name in sorted(names)
        }


def sections_of(model: type[Settings]) -> dict[str, tuple[str, ...]]:
    """Return the names of the settings that belong to one stream, by the stream."""
    declared = [each for each in model.__mro__ if issubclass(each, Settings) and "stream" in vars(each) and each.stream]
    return {each.stream: tuple(name for name in each.model_fields if name not in Settings.model_fields) for each in declared}


@cache
def joined(*streams: type[Settings]) -> type[Settings]:
    """Return the settings of a deployment: those that all streams share, and those of each.

    Raises:
        ValueError: two streams call a setting by one name.
    """
    names = [name for names in (sections_of(each) for each in streams) for own in names.values() for name in own]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two streams have a setting {', '.join(twice)}")
    return create_model("DeploymentSettings", __base__=(*streams, Settings)) if streams else Settings


def _full_name(section: str, names: Sequence[str], given: str, where: str) -> str:
    """Return the one name of a setting that stands in a section, there without the stream's name in front.

    Raises:
        SettingsError: the section has no such setting.
    """
    for full in (f"{section}_{given}", given):
        if full in names:
            return full
    short = ", ".join(sorted(name.removeprefix(f"{section}_") for name in names))
    raise SettingsError(
        f"there is no setting '{given}' in the section {section} ({where}); there are {short}", "Correct its name"
    )


def _twice(name: str, places: str) -> SettingsError:
    return SettingsError(f"the setting {name} stands twice: {places}", "Take one of them out")


class _SectionedFile(TomlConfigSettingsSource):
    """The TOML file, in which the settings of a stream may stand in a table of its name."""

    def __call__(self) -> dict[str, Any]:
        """Return each setting under its one name."""
        found = dict(super().__call__())
        for section, names in sections_of(cast("type[Settings]", self.settings_cls)).items():
            table = found.pop(section, {})
            if not isinstance(table, dict):
                raise SettingsError(f"{section} is a section, no setting", f"Write its settings below [{section}]")
            for given, value in table.items():
                full = _full_name(section, names, given, str(self.toml_file_path))
                if full in found:
                    raise _twice(full, f"at the top of {self.toml_file_path} and below [{section}]")
                found[full] = value
        return found


def section_variables(model: type[Settings]) -> dict[str, str]:
    """Return the variables that name a setting by its section, by the setting: ``REVENUE_INTEGRITY_BOATS__DEAREST_CENTS``."""
    import os

    found: dict[str, str] = {}
    present = {variable.upper() for variable in os.environ}
    for section, names in sections_of(model).items():
        beginning = f"{PREFIX}{section}__".upper()
        for variable in sorted(each for each in os.environ if each.upper().startswith(beginning)):
            full = _full_name(section, names, variable[len(beginning) :].lower(), variable)
            flat = f"{PREFIX}{full}".upper()
            if full in found or flat in present:
                raise _twice(full, f"as {variable} and {found.get(full, flat)}")
            found[full] = variable
    return found


class _SectionVariables(PydanticBaseSettingsSource):
    """Variables that name a setting by its section."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Return the text of a setting's variable, ``None`` if there is none, and that it need not be JSON."""
        import os

        variable = section_variables(cast("type[Settings]", self.settings_cls)).get(field_name)
        return None if variable is None else os.environ[variable], field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return each setting under its one name."""
        fields = self.settings_cls.model_fields
        found = {}
        for name in section_variables(cast("type[Settings]", self.settings_cls)):
            text, _, is_complex = self.get_field_value(fields[name], name)
            found[name] = self.prepare_field_value(name, fields[name], text, is_complex)
        return found
