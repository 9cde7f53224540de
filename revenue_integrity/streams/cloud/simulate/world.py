"""Who uses what where in the cloud: tenants, their accounts, services, regions, providers, and what the look-ups say of them.

Belongs here: master data and levels of cost. Does not belong here: events, exports, faults, files.
Costs and prices are integers: costs in 10**-12 currency units, prices in 10**-8, quantities in 10**-4.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

COST_PLACES = 12
PICO = 10**COST_PLACES
PRICE, QUANTITY = 10**8, 10**4

NO_TENANT = "default"
"""The tenant of accounts whose rows name none."""

TENANTS = ("GLOBEX", "NORTHWIND", NO_TENANT)


@dataclass(frozen=True)
class Account:
    """An account whose usage comes as billing events.

    Attributes:
        tenant: index of its tenant.
        daily: what it costs on a working day at the beginning, in currency units.
        weekend: share of that on a Saturday or Sunday.
        growth: of its cost, per month.
        services: the services that it uses, the largest first.
    """

    account_id: str
    tenant: int
    name: str
    owner: str
    daily: float
    weekend: float
    growth: float
    services: tuple[str, ...]


ACCOUNTS = (
    Account(
        "GX-PROD", 0, "Globex production", "Retail platform", 1_900.0, 1.05, 0.015, ("Compute", "Database", "CDN", "Storage")
    ),
    Account("GX-BATCH", 0, "Globex nightly jobs", "Supply chain", 420.0, 0.80, 0.010, ("Compute", "Storage", "Serverless")),
    Account("GX-DEV", 0, "Globex development", "Retail platform", 160.0, 0.50, 0.0, ("Compute", "Kubernetes", "Storage")),
    Account("NW-PROD", 1, "Northwind production", "Payments", 2_600.0, 0.90, 0.020, ("Compute", "Database", "Kubernetes", "CDN")),
    Account("NW-DATA", 1, "Northwind data platform", "Data", 1_250.0, 0.70, 0.025, ("Warehouse", "Storage", "Compute")),
    Account("NW-ML", 1, "Northwind model training", "Data science", 700.0, 0.60, 0.030, ("Machine learning", "Storage")),
    Account("NW-DEV", 1, "Northwind development", "Payments", 210.0, 0.45, 0.005, ("Compute", "Kubernetes", "Serverless")),
    Account("SHARED-NET", 2, "Shared network", "Infrastructure", 240.0, 0.85, 0.005, ("CDN", "Network")),
    Account("SHARED-LOGS", 2, "Shared logging", "Infrastructure", 150.0, 0.75, 0.010, ("Storage", "Serverless")),
)

SERVICES = {
    "Compute": "Compute",
    "Kubernetes": "Compute",
    "Serverless": "Compute",
    "Storage": "Storage",
    "Database": "Databases",
    "Warehouse": "Analytics",
    "Machine learning": "AI and Machine Learning",
    "CDN": "Networking",
    "Network": "Networking",
    "Support": "Management and Governance",
}
"""Each service with its category (FOCUS, ServiceCategory)."""

PRICES = {
    "Compute": 9_600_000,
    "Kubernetes": 4_167_123,
    "Serverless": 20_833,
    "Storage": 2_300_417,
    "Database": 17_100_000,
    "Warehouse": 41_666_667,
    "Machine learning": 306_200_000,
    "CDN": 8_500_000,
    "Network": 4_500_009,
    "Support": 100_000_000,
}
"""What a unit of a service costs."""

REGIONS = {
    "us-east-1": "Northern Virginia",
    "us-west-2": "Oregon",
    "eu-west-1": "Dublin",
    "ap-southeast-1": "Singapore",
}
NO_REGION = ("CDN", "Support")
"""Services that are used nowhere in particular."""

PRICING = {
    "on_demand": "Paid as used, at list price",
    "reserved": "Committed for a term",
    "spot": "Spare capacity at a changing price",
    "other": "Everything else",
}

MISSING_ACCOUNTS = ("NW-ML", "CI-EDGE")
MISSING_SERVICES = ("Serverless",)
MISSING_REGIONS = ("ap-southeast-1",)
MISSING_PRICING = ("other",)
"""What the look-ups lack."""

NEW_OWNER = ("NW-DATA", "Analytics engineering")
"""An account that changes hands half-way."""


@dataclass(frozen=True)
class Provider:
    """A provider whose usage comes as FOCUS exports; nothing of it comes as billing events.

    Attributes:
        name: as the exports and invoices say it.
        billing_account: whom it bills.
        sub_accounts: accounts inside that; ``None`` for what it charges to none.
        services: what it sells.
        daily: what it costs a day at the beginning, in currency units.
        charges: rows of usage a day.
        weekly: whether it exports each week what there is of the month so far, and not only the whole month after its end.
        form: format of its files.
        null: how its CSV files write that there is no value.
        commitment: monthly price of a commitment, in currency units; its usage is billed at zero.
        invoice: beginning of its invoice numbers.
    """

    name: str
    billing_account: str
    sub_accounts: tuple[str | None, ...]
    services: tuple[str, ...]
    daily: float
    charges: int
    weekly: bool
    form: str
    null: str
    commitment: int
    invoice: str


PROVIDERS = (
    Provider(
        "Nimbus",
        "NB-7001",
        ("NB-CORE", "NB-SEARCH", None),
        ("Compute", "Database", "Storage"),
        560.0,
        5,
        True,
        "parquet",
        "",
        1_600,
        "NB",
    ),
    Provider(
        "Stratus", "ST-314", ("ST-MAIL", "ST-OFFICE"), ("Storage", "Network", "Support"), 260.0, 2, False, "csv", "NULL", 0, "STR"
    ),
    Provider("Cirrus", "CI-88", ("CI-EDGE",), ("CDN",), 95.0, 1, False, "csv.gz", "", 0, "CRS"),
)

FOCUS_ACCOUNT_OWNER = "Corporate IT"


@dataclass(frozen=True)
class Lines:
    """What is used again and again: one entry per account, service, region and pricing model.

    Attributes:
        account, service, region, pricing: indexes; a region of -1 is none.
        weight: share of the day's events.
        daily: cost of a working day at the beginning, in currency units.
    """

    account: "np.ndarray[Any, np.dtype[np.int64]]"
    service: "np.ndarray[Any, np.dtype[np.int64]]"
    region: "np.ndarray[Any, np.dtype[np.int64]]"
    pricing: "np.ndarray[Any, np.dtype[np.int64]]"
    weight: "np.ndarray[Any, np.dtype[np.float64]]"
    daily: "np.ndarray[Any, np.dtype[np.float64]]"


def build_lines(seed: int) -> Lines:
    """Return what the accounts use; a service weighs half of the one before it."""
    rng = np.random.default_rng([seed, 101])
    services, regions, pricing = list(SERVICES), list(REGIONS), list(PRICING)
    rows: list[tuple[int, int, int, int, float, float]] = []
    for number, account in enumerate(ACCOUNTS):
        shares = 0.5 ** np.arange(len(account.services))
        for name, share in zip(account.services, shares / shares.sum(), strict=True):
            places = [-1] if name in NO_REGION else sorted(int(each) for each in rng.choice(len(regions), 2, replace=False))
            models = ["on_demand", "reserved", "spot"] if name in ("Compute", "Machine learning") else ["on_demand"]
            models = ["other"] if name == "Network" else models
            parts = rng.dirichlet(np.full(len(places) * len(models), 4.0))
            pairs = [(place, model) for place in places for model in models]
            for (place, model), part in zip(pairs, parts, strict=True):
                cost = account.daily * float(share * part)
                rows.append((number, services.index(name), place, pricing.index(model), cost**0.5, cost))
    account_, service, region, model_, weight, daily = (np.array(column) for column in zip(*rows, strict=True))
    return Lines(account_, service, region, model_, weight / weight.sum(), daily)
