"""Exact arithmetic on columns: money in integer cents, quantities in ``Decimal``, one rounding rule.

Belongs here: what every rule needs so that no float ever decides a cent. Does not belong here: what a charge is.
Columns of ``Decimal`` are of dtype ``object``; a missing value is ``None``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, localcontext
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

RATIO_PLACES = 6
"""Places of every stored ratio (conventions, *Money, quantities, rounding*)."""

_CONTEXT = Context(prec=60, rounding=ROUND_HALF_UP)
"""60 digits hold the product of three 18-digit decimals exactly; half-up in ``decimal`` is half away from zero."""


def round_half_away(value: Decimal, places: int) -> Decimal:
    """Round once, half away from zero, to ``places`` decimal places."""
    return value.quantize(_unit(places), context=_CONTEXT)


@cache
def _unit(places: int) -> Decimal:
    return Decimal(1).scaleb(-places)


def cents(amount: Decimal) -> int:
    """Return an exact amount of currency units as whole cents, rounded once, half away from zero."""
    return int(round_half_away(amount.scaleb(2, context=_CONTEXT), 0))


def added(values: Iterable[int | Decimal]) -> Decimal:
    """Return the exact sum of integers and decimals; of none, 0."""
    with localcontext(_CONTEXT):
        return sum((Decimal(value) for value in values), Decimal(0))


def divide(numerator: int | Decimal, denominator: int | Decimal, places: int) -> Decimal | None:
    """Return the quotient rounded once to ``places``, or ``None`` where the denominator is 0."""
    if not denominator:
        return None
    return round_half_away(_CONTEXT.divide(Decimal(numerator), Decimal(denominator)), places)


def named_rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Yield the rows of a frame as named tuples of Python values; only for statement grain and what is finer by exception."""
    return iter(frame.itertuples(index=False))


def map_rows(function: Callable[..., Any], *columns: "pd.Series[Any]") -> "pd.Series[Any]":
    """Apply an exact scalar function row by row to aligned columns; a missing argument makes a missing result.

    Only for statement grain: Python numbers are the price of exactness where the engine's decimals end.
    """
    missing = np.logical_or.reduce([column.isna().to_numpy() for column in columns]).tolist()
    with localcontext(_CONTEXT):
        values = [
            None if is_missing else function(*row)
            for is_missing, *row in zip(missing, *(_python_numbers(column) for column in columns), strict=True)
        ]
    return _objects(values, columns[0].index)


def _python_numbers(column: "pd.Series[Any]") -> list[Any]:
    return column.astype(object).tolist()


def ratio(numerator: "pd.Series[Any]", denominator: "pd.Series[Any]", places: int = RATIO_PLACES) -> "pd.Series[Any]":
    """Divide two exact columns, rounding once; ``None`` where either is missing or the denominator is 0."""
    unit = _unit(places)
    with localcontext(_CONTEXT):
        # The same as ``divide`` for each pair; written out, for a call for each would cost more than the division.
        values = [
            None if n is None or not d else (n / d).quantize(unit)
            for n, d in zip(_decimals(numerator), _decimals(denominator), strict=True)
        ]
    return _objects(values, numerator.index)


def product(one: "pd.Series[Any]", other: "pd.Series[Any]") -> "pd.Series[Any]":
    """Multiply two exact columns; ``None`` where either is missing."""
    with localcontext(_CONTEXT):
        values = [None if x is None or y is None else x * y for x, y in zip(_decimals(one), _decimals(other), strict=True)]
    return _objects(values, one.index)


def _decimals(column: "pd.Series[Any]") -> list[Decimal | None]:
    """Return the values of an exact column as decimals, ``None`` where one is missing."""
    missing = column.isna().to_numpy()
    values = _python_numbers(column)
    if not missing.any():
        # A column is of one kind, as a rule: to ask each value for its kind would cost more than to make it a decimal.
        kinds = set(map(type, values))
        return values if kinds <= {Decimal} else list(map(Decimal, values))
    return [None if is_missing else Decimal(value) for value, is_missing in zip(values, missing.tolist(), strict=True)]


def _objects(values: list[Any], index: "pd.Index[Any]") -> "pd.Series[Any]":
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return pd.Series(result, index=index)


def whole(column: "pd.Series[Any]", places: int) -> "np.ndarray[Any, Any]":
    """Return an exact column times ``10 ** places`` as whole Python numbers, for arithmetic on whole columns of them.

    Raises:
        ValueError: a value is missing or has more places.
    """
    if column.isna().any():
        raise ValueError(f"{column.name} has a missing value")
    with localcontext(_CONTEXT):
        factor = Decimal(1).scaleb(places)
        scaled = _objects([value * factor for value in _decimals(column) if value is not None], column.index).to_numpy()
    numbers = _objects([int(value) for value in scaled], column.index).to_numpy()
    if (scaled != numbers).any():
        raise ValueError(f"{column.name} has more than {places} places")
    return numbers


def rounded(numerator: "np.ndarray[Any, Any]", denominator: "np.ndarray[Any, Any] | int") -> "np.ndarray[Any, Any]":
    """Round quotients of whole Python numbers, with positive denominators, to whole numbers, half away from zero."""
    nearest = (np.abs(numerator) * 2 + denominator) // (denominator * 2)
    return np.where(numerator >= 0, nearest, -nearest)


def largest_remainder(amount: int, weights: Sequence[int | Decimal], identifiers: Sequence[str]) -> list[int]:
    """Split whole cents by weights so that the parts add up to the whole.

    Each part gets the floor of its exact share of ``abs(amount)``, then one cent each goes to the largest fractional
    remainders; ties go to the smaller identifier in byte order; weights that are all zero count as equal
    (conventions, *largest remainder*). Weights must not be negative.

    Raises:
        ValueError: no part, a negative weight, or lengths that differ.
    """
    if not weights or len(weights) != len(identifiers) or min(weights) < 0:
        raise ValueError("an amount is split over at least one part, with one weight that is not negative for each")
    exact = [Decimal(weight) for weight in weights]
    if not any(exact):
        exact = [Decimal(1)] * len(exact)
    whole = abs(amount)
    with localcontext(Context(prec=120, rounding=ROUND_DOWN)):
        scale = Decimal(1).scaleb(max(max(0, -int(weight.as_tuple().exponent)) for weight in exact))
        units = [int(weight * scale) for weight in exact]
    total = sum(units)
    shares = [divmod(whole * unit, total) for unit in units]
    parts = [share for share, _ in shares]
    by_remainder = sorted(range(len(parts)), key=lambda part: (-shares[part][1], identifiers[part].encode()))
    for part in by_remainder[: whole - sum(parts)]:
        parts[part] += 1
    return [part if amount >= 0 else -part for part in parts]
