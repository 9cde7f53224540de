"""Days off by calendar: public holidays of countries and regions, closing days of financial markets.

Belongs here: asking the library of holidays. Does not belong here: business days and cutoffs (``close.calendar``), days that a
deployment lists itself (``settings``).
"""

from datetime import date
from functools import lru_cache
from importlib.metadata import version


@lru_cache
def days_off(calendar: str, year: int) -> tuple[date, ...]:
    """Return the days of a year that a calendar has off, in order, those that are observed on another day included.

    Args:
        calendar: an ISO 3166 code of a country (``US``), with a region (``US-CA``), or a financial market (``NYSE``).
        year: the year.

    Raises:
        ValueError: there is no such calendar; the message names those that there are.
    """
    # Loaded only by who set a calendar: it takes as long as everything else that a command loads before its work.
    import holidays

    country, _, region = calendar.partition("-")
    try:
        if country in holidays.list_supported_financial() and not region:
            found = holidays.financial_holidays(country, years=year)
        else:
            found = holidays.country_holidays(country, subdiv=region or None, years=year)
    except (NotImplementedError, ValueError) as error:
        raise ValueError(f"there is no such calendar; {_there_are(country)}") from error
    return tuple(sorted(found))


def _there_are(country: str) -> str:
    """Return what can be chosen: the country's regions where the country is known, else the countries and markets."""
    import holidays

    countries = holidays.list_supported_countries(include_aliases=False)
    if country in countries:
        regions = ", ".join(f"{country}-{region}" for region in countries[country])
        return f"of {country} there are {country}, {regions}" if regions else f"{country} has no regions"
    markets = holidays.list_supported_financial()  # with the names that people use, as NYSE beside XNYS
    return f"countries: {', '.join(sorted(countries))}; markets: {', '.join(sorted(markets))}"


def with_edition(calendar: str) -> str:
    """Return a calendar's name with the edition of the library that knows its days: another one may know them better."""
    return f"{calendar} (holidays {version('holidays')})"
