"""Who rents what where: customers, sites, contracts with their amendments, racks, and how the ERP names them.

Belongs here: master data and its history. Does not belong here: usage, money, files.
Prices, kW and factors are integers in millionths, fees in cents.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
from dateutil.relativedelta import relativedelta
from faker import Faker

from revenue_integrity import months

MICRO = 1_000_000

ZONES = (
    ("Ashburn", "us-east", "America/New_York"),
    ("Dallas", "us-central", "America/Chicago"),
    ("Santa Clara", "us-west", "America/Los_Angeles"),
    ("Dublin", "eu-west", "Europe/Dublin"),
    ("Frankfurt", "eu-central", "Europe/Berlin"),
    ("Singapore", "ap-southeast", "Asia/Singapore"),
    ("Tokyo", "ap-northeast", "Asia/Tokyo"),
    ("Montreal", "ca-east", "America/Toronto"),
)
"""Places whose local day ends, and whose next has not passed, by the hour at which meter files are sent."""

SPACING = timedelta(days=20)
"""A version is signed at least this long before it takes effect, so that it is known here in time."""


@dataclass(frozen=True)
class Version:
    """One version of a contract's terms."""

    version: int
    effective_from: date
    effective_to: date | None
    status: str
    racks: int
    kw: int
    rack_price: int
    kw_price: int
    energy_rate: int | None
    uplift: int | None
    overage_price: int | None
    fee: int | None
    amendment: str
    signed_on: date

    def covers(self, day: date) -> bool:
        """Return whether the day lies between the version's dates."""
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)


@dataclass(frozen=True)
class Segment:
    """A run of days with one version in force."""

    version: Version
    first: date
    last: date

    @property
    def days(self) -> int:
        """Days of the segment."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True)
class Rack:
    """A rack that a contract uses."""

    rack_id: str
    installed_on: date
    removed_on: date | None
    rated_kw: int


@dataclass
class Contract:
    """A contract: its versions, and the days of service that they make within the simulated time."""

    index: int
    contract_id: str
    customer: int
    site: int
    metered: bool
    load: float
    kw_per_rack: int
    meters: int
    versions: list[Version] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    racks: list[Rack] = field(default_factory=list)

    @property
    def exact_meters(self) -> bool:
        """Whether its readings decide what is billed."""
        return self.metered or any(version.overage_price is not None for version in self.versions)

    def in_month(self, month: date) -> list[Segment]:
        """Return the segments of the month, cut to it."""
        last = months.last_day(month)
        return [
            Segment(segment.version, max(segment.first, month), min(segment.last, last))
            for segment in self.segments
            if segment.first <= last and segment.last >= month
        ]


@dataclass(frozen=True)
class Mapping:
    """A reference of the ERP and the contract that it means."""

    code: str
    customer: int
    ref: str
    contract: int
    valid_from: date
    valid_to: date | None
    known_on: date


@dataclass(frozen=True)
class Site:
    """A data centre."""

    site_id: str
    name: str
    region: str
    timezone: str
    capacity_kw: int


@dataclass(frozen=True)
class Customer:
    """A customer."""

    customer_id: str
    name: str
    segment: str
    country: str
    code: str
    known_on: date


@dataclass
class World:
    """Everything that is known of the business before a kWh is used."""

    first: date
    last: date
    months: list[date]
    sites: list[Site]
    customers: list[Customer]
    contracts: list[Contract]
    mappings: list[Mapping]

    def __post_init__(self) -> None:
        self._by_contract: dict[int, list[Mapping]] = {}
        for mapping in self.mappings:
            self._by_contract.setdefault(mapping.contract, []).append(mapping)

    def ref(self, contract: Contract, month: date) -> str:
        """Return how the ERP names a contract in a service month; its own id where nothing is mapped."""
        found = self._by_contract.get(contract.index, [])
        valid = [each for each in found if each.valid_from <= month and (each.valid_to is None or each.valid_to >= month)]
        # A contract that starts within the month has the reference that it starts with.
        return (valid[-1] if valid else found[0]).ref if found else contract.contract_id

    def code(self, contract: Contract) -> str:
        """Return the ERP's code of the contract's customer."""
        return self.customers[contract.customer].code

    def siblings(self, contract: Contract) -> list[Contract]:
        """Return the other contracts of the customer."""
        return [self.contracts[each] for each in self._of_customer()[contract.customer] if each != contract.index]

    def _of_customer(self) -> list[list[int]]:
        if not hasattr(self, "_owned"):
            self._owned: list[list[int]] = [[] for _ in self.customers]
            for contract in self.contracts:
                self._owned[contract.customer].append(contract.index)
        return self._owned


def build_world(service_months: Sequence[date], contracts: int, sites: int, seed: int) -> World:
    """Make the master data of a period; the same arguments give the same world."""
    rng = np.random.default_rng([seed, 1])
    first, last = service_months[0], months.last_day(service_months[-1])
    made = [_contract(index, sites, first, last, rng) for index in range(contracts)]
    owners = _owners(made, rng)
    customers = _customers(made, owners, first, seed, rng)
    for contract in made:
        contract.segments = _segments(contract.versions, first, last)
        contract.racks = _racks(contract, rng)
    mappings = _mappings(made, customers, first, service_months, rng)
    return World(first, last, list(service_months), _sites(made, sites, service_months, rng), customers, made, mappings)


def _scaled(rng: np.random.Generator, low: float, high: float, places: int) -> int:
    """Draw a number with some places, in millionths."""
    step = 10**places
    return int(rng.integers(round(low * step), round(high * step) + 1)) * (MICRO // step)


def _contract(index: int, sites: int, first: date, last: date, rng: np.random.Generator) -> Contract:
    before = rng.random() < 0.55
    if before:
        start = first - timedelta(days=int(rng.integers(30, 900)))
    else:
        start = first + timedelta(days=int(rng.integers(1, max((last - first).days - 5, 2))))
        start = start.replace(day=1) if rng.random() < 0.3 and start.replace(day=1) > first else start
    metered = bool(rng.random() < 0.4)
    contract = Contract(
        index,
        f"CT-{index + 1:05d}",
        customer=-1,
        site=int(rng.integers(sites)),
        metered=metered,
        load=float(rng.uniform(0.35, 0.75)),
        kw_per_rack=_scaled(rng, 3, 12, 1),
        meters=1 + int(rng.random() < 0.5),
    )
    racks = int(rng.integers(2, 21))
    ramps = bool(rng.random() < 0.2) and racks >= 4
    terms = Version(
        version=1,
        effective_from=start,
        effective_to=None,
        status="active",
        racks=max(racks // 2, 1) if ramps else racks,
        kw=contract.kw_per_rack * (max(racks // 2, 1) if ramps else racks),
        rack_price=_scaled(rng, 80, 400, 2),
        kw_price=_scaled(rng, 120, 160, 2) if metered else _scaled(rng, 140, 200, 2),
        energy_rate=_scaled(rng, 0.09, 0.16, 4) if metered else None,
        uplift=_scaled(rng, 1.2, 1.5, 2) if metered and rng.random() < 0.9 else None,
        overage_price=_scaled(rng, 80, 200, 2) if rng.random() < 0.6 else None,
        fee=100 * int(rng.integers(500, 10_001)) if rng.random() < 0.3 else None,
        amendment="new",
        signed_on=start - SPACING - timedelta(days=int(rng.integers(0, 40))),
    )
    contract.versions.append(terms)
    _amend(contract, terms, racks if ramps else None, last, rng)
    return contract


@dataclass(frozen=True)
class _Event:
    on: date
    kind: str


def _amend(contract: Contract, terms: Version, ramp_to: int | None, last: date, rng: np.random.Generator) -> None:
    """Add the versions that follow the first, in order of their first days."""
    start = terms.effective_from
    events = []
    if ramp_to:
        events += [_Event(start + relativedelta(months=2), "ramp"), _Event(start + relativedelta(months=4), "ramp")]
    term_years = int(rng.integers(1, 4))
    for year in range(1, 5):
        events.append(_Event(start + relativedelta(years=year), "renewal" if year % term_years == 0 else "escalation"))
    life = (last - start).days
    for kind, yearly in (("upsell", 0.3), ("downsell", 0.12), ("temporary", 0.15), ("correction", 0.03), ("termination", 0.08)):
        if life > 60 and rng.random() < yearly * life / 365:
            events.append(_Event(start + timedelta(days=int(rng.integers(50, life))), kind))
    step = 0
    for event in sorted(events, key=lambda each: (each.on, each.kind)):
        if event.on > last:
            break
        previous = [version for version in contract.versions if version.effective_to is None][-1]
        made = _amended(contract, previous, event, rng)
        if event.kind == "ramp":
            step += 1
            racks = max(round((ramp_to or 0) * (0.75 if step == 1 else 1)), 1)
            made = replace(made, racks=racks, kw=contract.kw_per_rack * racks, signed_on=terms.signed_on)
        contract.versions.append(made)
        if event.kind == "termination":
            break


def _amended(contract: Contract, previous: Version, event: _Event, rng: np.random.Generator) -> Version:
    number = contract.versions[-1].version + 1
    signed = event.on - SPACING - timedelta(days=int(rng.integers(0, 40)))
    made = replace(previous, version=number, effective_from=event.on, fee=None, amendment=event.kind, signed_on=signed)
    if event.kind in ("escalation", "renewal", "correction"):
        low, high = {"escalation": (1.02, 1.04), "renewal": (0.97, 1.05), "correction": (0.98, 1.02)}[event.kind]
        factor = rng.uniform(low, high)
        return replace(
            made,
            rack_price=round(made.rack_price * factor / 10_000) * 10_000,
            # Never the same price: an amendment that changes nothing is no amendment.
            kw_price=round(made.kw_price * factor / 10_000) * 10_000 + 10_000,
        )
    if event.kind == "upsell":
        racks = previous.racks + int(rng.integers(1, max(previous.racks // 2, 2) + 1))
        fee = 100 * int(rng.integers(200, 3_001)) if rng.random() < 0.4 else None
        return replace(made, racks=racks, kw=contract.kw_per_rack * racks, fee=fee)
    if event.kind == "downsell":
        racks = max(previous.racks - int(rng.integers(1, max(previous.racks // 3, 1) + 1)), 1)
        return replace(made, racks=racks, kw=contract.kw_per_rack * racks)
    if event.kind == "temporary":
        more = previous.kw + previous.kw // 5 // 100_000 * 100_000
        until = event.on + timedelta(days=int(rng.integers(20, 61)))
        return replace(made, kw=more, effective_to=until, amendment="upsell")
    if event.kind == "termination":
        return replace(made, status="terminated")
    return replace(made, amendment="upsell")


def _segments(versions: Sequence[Version], first: date, last: date) -> list[Segment]:
    """Return the runs of days with service between two days: on each, the highest version that covers it."""
    starts = {first} | {version.effective_from for version in versions}
    starts |= {version.effective_to + timedelta(days=1) for version in versions if version.effective_to}
    cuts = sorted(day for day in starts if first <= day <= last)
    found: list[Segment] = []
    for start, end in zip(cuts, [day - timedelta(days=1) for day in cuts[1:]] + [last], strict=True):
        covering = [version for version in versions if version.covers(start)]
        if not covering:
            continue
        winner = max(covering, key=lambda version: version.version)
        if winner.status == "terminated":
            continue
        if found and found[-1].version is winner and found[-1].last == start - timedelta(days=1):
            found[-1] = Segment(winner, found[-1].first, end)
        else:
            found.append(Segment(winner, start, end))
    return found


def _racks(contract: Contract, rng: np.random.Generator) -> list[Rack]:
    """Assign racks as the terms grow and shrink; now and then one is missing."""
    number, standing, found = 0, list[Rack](), list[Rack]()
    ended = next((v.effective_from for v in contract.versions if v.status == "terminated"), None)
    for version in (each for each in contract.versions if each.effective_to is None):
        on = version.effective_from
        wanted = 0 if version.status == "terminated" else version.racks
        wanted -= int(wanted > 1 and rng.random() < 0.02)
        while len(standing) > wanted:
            rack = standing.pop()
            found[found.index(rack)] = Rack(rack.rack_id, rack.installed_on, on - timedelta(days=1), rack.rated_kw)
        while len(standing) < wanted:
            number += 1
            rack = Rack(f"R-{contract.index + 1:05d}-{number:02d}", on, None, contract.kw_per_rack)
            standing.append(rack)
            found.append(rack)
    return [rack for rack in found if ended is None or rack.installed_on < ended]


def _owners(contracts: list[Contract], rng: np.random.Generator) -> list[list[Contract]]:
    """Give each customer one to four contracts."""
    owners: list[list[Contract]] = []
    position = 0
    while position < len(contracts):
        count = int(rng.choice([1, 2, 3, 4], p=[0.35, 0.3, 0.2, 0.15]))
        owned = contracts[position : position + count]
        for contract in owned:
            contract.customer = len(owners)
        owners.append(owned)
        position += count
    return owners


def _customers(
    contracts: list[Contract], owners: list[list[Contract]], first: date, seed: int, rng: np.random.Generator
) -> list[Customer]:
    fake = Faker("en_US")
    fake.seed_instance(seed)
    return [
        Customer(
            f"CU-{number + 1:05d}",
            fake.company(),
            str(rng.choice(["enterprise", "wholesale", "retail"], p=[0.5, 0.2, 0.3])),
            str(rng.choice(["US", "CA", "GB", "DE", "IE", "JP", "SG"], p=[0.6, 0.1, 0.08, 0.08, 0.06, 0.04, 0.04])),
            f"E-{10_001 + number}",
            min(contract.versions[0].signed_on for contract in owned),
        )
        for number, owned in enumerate(owners)
    ]


def _mappings(
    contracts: list[Contract],
    customers: list[Customer],
    first: date,
    service_months: Sequence[date],
    rng: np.random.Generator,
) -> list[Mapping]:
    """Name the contracts in the ERP; some only by their own id, some renamed on the way."""
    found: list[Mapping] = []
    anchored: set[int] = set()
    for contract in sorted(contracts, key=lambda each: (each.customer, each.versions[0].effective_from, each.index)):
        start = contract.versions[0].effective_from
        code = customers[contract.customer].code
        unnamed = contract.customer in anchored and rng.random() < 0.15
        # The customer's code is known by its first contract, which is always mapped and never renamed.
        renamed = contract.customer in anchored and rng.random() < 0.2
        ref = f"SO-{contract.index + 1:05d}"
        known = contract.versions[0].signed_on
        middle = service_months[len(service_months) // 2 :] or service_months
        moved = middle[int(rng.integers(len(middle)))]
        if unnamed:
            continue
        if renamed and moved > start:
            found.append(Mapping(code, contract.customer, ref, contract.index, start, moved - timedelta(days=1), known))
            known = moved - timedelta(days=10)
            found.append(Mapping(code, contract.customer, f"{ref}-R1", contract.index, moved, None, known))
        else:
            found.append(Mapping(code, contract.customer, ref, contract.index, start, None, known))
        anchored.add(contract.customer)
    return found


def _sites(contracts: list[Contract], count: int, service_months: Sequence[date], rng: np.random.Generator) -> list[Site]:
    """Make sites that can hold what they sell."""
    sold = np.zeros((count, len(service_months)), dtype=np.int64)
    for contract in contracts:
        for number, month in enumerate(service_months):
            inside = contract.in_month(month)
            sold[contract.site, number] += max((segment.version.kw for segment in inside), default=0)
    found = []
    for number in range(count):
        place, region, zone = ZONES[number % len(ZONES)]
        capacity = int(sold[number].max() / MICRO * rng.uniform(1.08, 1.3) / 50 + 1) * 50 * MICRO
        suffix = number // len(ZONES) + 1
        found.append(Site(f"DC-{number + 1:02d}", f"{place} {suffix}", region, zone, capacity))
    return found
