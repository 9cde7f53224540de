"""The version of a rule: a hash over what decides its result, so nobody has to count it up."""

import inspect
from functools import cache

from revenue_integrity.model.query import read_sql
from revenue_integrity.model.rule import Rule
from revenue_integrity.warehouse.catalog import sha256_of


@cache
def version_of_rule(rule: Rule) -> str:
    """Return the version of a rule: a hash over its module, its SQL and its table's declaration, so nobody has to count it up."""
    module = inspect.getmodule(rule.function)
    if module is None or module.__package__ is None:
        raise TypeError(f"the rule of {rule.table.qualified} stands in no module")
    declared = [(name, rule.table.sql_type(name), rule.table.schema.columns[name].nullable) for name in rule.table.columns]
    texts = [read_sql(module.__package__, path) for path in rule.sql]
    return sha256_of([inspect.getsource(module), texts, list(rule.table.key), declared])
