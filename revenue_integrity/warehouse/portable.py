"""SQL that means the same to DuckDB and to Spark: what may stand in it, and carrying it over.

Belongs here: the subset, telling what leaves it, and the transpiling. Does not belong here: running anything (``engine``,
``spark``), the SQL itself (each stream's ``sql``).

The subset is a list of what is allowed, not of what is forbidden: a construct that nobody compared on both engines is
refused. What cannot be seen without types (a decimal that becomes an integer, days between two dates) is met at run time: Spark
runs in ANSI mode and its result must have the types that DuckDB gives.
"""

from collections.abc import Callable, Iterator

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from revenue_integrity.errors import WarehouseError

_TYPES = {
    exp.DType.BIGINT: "integer",
    exp.DType.INT: "integer",
    exp.DType.BOOLEAN: "flag",
    exp.DType.DATE: "date",
    exp.DType.DECIMAL: "decimal",
    exp.DType.TEXT: "text",
    exp.DType.VARCHAR: "text",
    exp.DType.TIMESTAMPTZ: "instant",
}
"""Types that both engines have alike; floats round otherwise, HUGEINT and instants without a zone are missing or mean less."""

_ALLOWED: frozenset[type[exp.Expr]] = frozenset(
    {
        # Frame of a select
        exp.Select, exp.From, exp.Table, exp.TableAlias, exp.Subquery, exp.CTE, exp.With, exp.Join, exp.Where, exp.Group,
        exp.Having, exp.Order, exp.Ordered, exp.Distinct, exp.Union, exp.Qualify, exp.Values, exp.Tuple,
        # Names and values
        exp.Column, exp.Identifier, exp.Alias, exp.Star, exp.Literal, exp.Null, exp.Boolean, exp.Var, exp.DataType,
        exp.DataTypeParam, exp.Interval, exp.Paren,
        # Conditions
        exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.In, exp.Between, exp.Exists,
        exp.NullSafeEQ, exp.NullSafeNEQ,
        # Arithmetic and text
        exp.Add, exp.Sub, exp.Mul, exp.IntDiv, exp.Mod, exp.Neg, exp.Abs, exp.DPipe, exp.Length, exp.Trim, exp.Replace,
        # Choices
        exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least, exp.Cast,
        # Days
        exp.TimestampTrunc, exp.DateTrunc,
        # Aggregates and windows
        exp.Sum, exp.Count, exp.Min, exp.Max, exp.LogicalAnd, exp.LogicalOr, exp.Filter, exp.Window, exp.WindowSpec,
        exp.RowNumber, exp.Rank, exp.DenseRank, exp.Lag, exp.Lead,
    }
)  # fmt: skip

_REASONS: dict[type[exp.Expr], str] = {
    exp.Div: "`/` gives a float in DuckDB and a rounded decimal in Spark: use `//` on integers",
    exp.Avg: "avg is inexact: keep sum and count",
    exp.TryCast: "try_cast reads other texts on each engine: convert on landing",
    exp.PercentileCont: "quantile_cont interpolates in floats",
    exp.Concat: "concat() skips nulls in DuckDB only: use ||",
    exp.Lower: "lower() differs beyond ASCII: convert on landing",
    exp.Upper: "upper() differs beyond ASCII: convert on landing",
    exp.Like: "LIKE has an escape character in Spark only",
    exp.Limit: "LIMIT depends on the order of rows: use row_number()",
    exp.AnyValue: "any_value depends on the order of rows: use min or max",
    exp.Comprehension: "list comprehensions are known to DuckDB only",
    exp.Bracket: "lists, slices and struct access are told otherwise in Spark",
    exp.Dot: "struct access is told otherwise in Spark",
    exp.Struct: "structs are compared otherwise in Spark",
    exp.Columns: "columns() is known to DuckDB only: list the columns",
    exp.Parameter: "parameters are not bound by Spark: join a table instead",
    exp.Placeholder: "parameters are not bound by Spark: join a table instead",
}
"""Why something outside the list is outside, where people would ask; anything else is told by its name."""

_NEEDS_TOTAL_ORDER = (exp.RowNumber, exp.Lag, exp.Lead)
_LAST_OF_TOTAL_ORDER = "row_number"
"""Every order of versions ends in the row's number in its file: within tenant and event nothing else is certain to differ."""


def violations(sql: str) -> list[str]:
    """Return what a query holds that DuckDB and Spark may read otherwise, one sentence each, in order of the text; [] is good."""
    try:
        statements = parse(sql, read="duckdb")
    except SqlglotError as error:
        return [f"it cannot be read: {str(error).splitlines()[0]}"]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        return ["it is not one select"]
    found = (reason for node in statements[0].walk(bfs=False) for reason in _violations_at(node))
    return list(dict.fromkeys(found))


def to_spark(sql: str, *, name: str) -> str:
    """Return a DuckDB query in Spark's words.

    Raises:
        WarehouseError: it leaves the portable subset; ``name`` tells which query that is.
    """
    if found := violations(sql):
        raise WarehouseError(
            f"The SQL of {name} does not mean the same on Spark: {'; '.join(found)}", "Keep to the portable subset."
        )
    (statement,) = parse(sql, read="duckdb")
    assert statement is not None  # a query without violations is one select
    return statement.sql(dialect="spark")


def projection_to_spark(projection: str, *, name: str) -> list[str]:
    """Return each column of a projection (``cost as cost, …``) in Spark's words.

    Raises:
        WarehouseError: it leaves the portable subset; ``name`` tells which one that is.
    """
    sql = f"select {projection} from a_file"
    to_spark(sql, name=name)
    (statement,) = parse(sql, read="duckdb")
    assert isinstance(statement, exp.Select)  # checked by to_spark
    return [column.sql(dialect="spark") for column in statement.expressions]


def _violations_at(node: exp.Expr) -> Iterator[str]:
    if type(node) not in _ALLOWED:
        yield f"`{_excerpt(node)}`: {_REASONS.get(type(node)) or _name(node) + ' is not in the portable subset'}"
        return
    check = _CHECKS.get(type(node))
    if check is not None:
        yield from (f"`{_excerpt(node)}`: {reason}" for reason in check(node))


def _name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return f"{node.name}()"
    return f"{node.sql_name().lower()}()" if isinstance(node, exp.Func) else type(node).__name__


def _excerpt(node: exp.Expr, length: int = 80) -> str:
    text = node.sql(dialect="duckdb", comments=False)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _bare(node: exp.Expr | None) -> exp.Expr | None:
    return node.unnest() if node is not None else None


def _is_cast_to(node: exp.Expr | None, *families: str) -> bool:
    return isinstance(node, exp.Cast) and _TYPES.get(node.to.this) in families


def _outside(node: exp.Expr) -> exp.Expr | None:
    """Return what a node stands in, brackets left out."""
    parent = node.parent
    while isinstance(parent, exp.Paren):
        parent = parent.parent
    return parent


def _type(node: exp.Expr) -> Iterator[str]:
    assert isinstance(node, exp.DataType)
    family = _TYPES.get(node.this)
    if family is None:
        yield "the type is not alike on both engines"
    elif family == "decimal" and len(node.expressions) != 2:
        yield "a decimal needs its digits and places, the defaults differ"


def _cast(node: exp.Expr) -> Iterator[str]:
    assert isinstance(node, exp.Cast)
    inner = _bare(node.this)
    assert inner is not None
    if _is_cast_to(node, "text") and not _may_be_text(inner):
        yield "the text of instants and decimals differs: make it on landing"
    if not _is_cast_to(node, "integer"):
        return
    fraction = isinstance(inner, exp.Literal) and (inner.is_string or not inner.is_int)
    if fraction or _is_cast_to(inner, "decimal", "text"):
        yield "DuckDB rounds what becomes an integer, Spark cuts or refuses it"


def _may_be_text(node: exp.Expr) -> bool:
    """Return whether nothing shows that a value is no text yet."""
    if isinstance(node, exp.Literal):
        return node.is_string
    return isinstance(node, exp.Column | exp.Null | exp.Case | exp.Coalesce | exp.Nullif | exp.DPipe) or _is_cast_to(node, "text")


def _literal(node: exp.Expr) -> Iterator[str]:
    assert isinstance(node, exp.Literal)
    if not node.is_string and "e" in node.this.lower():
        yield "a number with an exponent is a float"


def _product(node: exp.Expr) -> Iterator[str]:
    for side in (_bare(node.left), _bare(node.right)) if isinstance(node, exp.Binary) else ():
        assert side is not None
        number = side.this if isinstance(side, exp.Neg) else side
        whole = isinstance(number, exp.Literal) and number.is_int
        whole = whole or _is_cast_to(side, "integer") or isinstance(side, exp.Mul | exp.IntDiv | exp.Mod)
        if not whole and not (_is_cast_to(side, "decimal") and side.args["to"].expressions[1].name == "0"):
            yield "factors must be cast to BIGINT or DECIMAL(38, 0): the places of a product differ"
            return


def _interval(node: exp.Expr) -> Iterator[str]:
    sum_of_days = _outside(node)
    if not isinstance(sum_of_days, exp.Add | exp.Sub) or not _is_cast_to(_outside(sum_of_days), "date"):
        yield "a date with an interval must be cast back to date"


def _truncated(node: exp.Expr) -> Iterator[str]:
    if not _is_cast_to(_outside(node), "date"):
        yield "date_trunc must be cast to date"


def _text_options(node: exp.Expr) -> Iterator[str]:
    if isinstance(node, exp.Trim) and (node.expression or node.args.get("position")):
        yield "trim takes no characters here"


def _star(node: exp.Expr) -> Iterator[str]:
    if any(node.args.values()):
        yield "exclude, replace and rename are known to DuckDB only: list the columns"


def _join(node: exp.Expr) -> Iterator[str]:
    if node.args.get("method"):
        yield "ASOF, NATURAL and POSITIONAL joins are told otherwise in Spark: join on what holds"
    if node.args.get("kind") in ("SEMI", "ANTI"):
        yield "SEMI and ANTI joins are told otherwise in Spark: use exists, or a left join and a null"
    if node.args.get("using"):
        yield "USING gives other columns for `*`: use ON"


def _table(node: exp.Expr) -> Iterator[str]:
    if not isinstance(node.this, exp.Identifier):
        yield "a function that gives a table belongs in the inputs"
    if node.args.get("sample"):
        yield "a sample differs from run to run"


def _select(node: exp.Expr) -> Iterator[str]:
    assert isinstance(node, exp.Select)
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on"):
        yield "DISTINCT ON depends on the order of rows: use row_number()"
    if node.args.get("qualify") and any(isinstance(column, exp.Star) or column.is_star for column in node.selects):
        yield "QUALIFY with `*` gives one more column on Spark: list the columns"


def _group(node: exp.Expr) -> Iterator[str]:
    if any(value for key, value in node.args.items() if key != "expressions"):
        yield "only plain columns can be grouped by"


def _union(node: exp.Expr) -> Iterator[str]:
    if node.args.get("by_name"):
        yield "UNION BY NAME is known to DuckDB only: list the columns"


def _with(node: exp.Expr) -> Iterator[str]:
    if node.args.get("recursive"):
        yield "recursion is told otherwise in Spark"


def _order(node: exp.Expr) -> Iterator[str]:
    if any(isinstance(_bare(term.this), exp.Literal) or term.this.name.lower() == "all" for term in node.expressions):
        yield "order by names, not by positions"


def _column(node: exp.Expr) -> Iterator[str]:
    if node.args.get("db"):
        yield "struct access is told otherwise in Spark"


def _window(node: exp.Expr) -> Iterator[str]:
    function = node.this
    order = node.args.get("order")
    spec = node.args.get("spec")
    if isinstance(function, exp.Rank | exp.DenseRank) and order is None:
        yield "the window has no ORDER BY"
    rows = spec is not None and str(spec.args.get("kind")).upper() == "ROWS"
    if not isinstance(function, _NEEDS_TOTAL_ORDER) and not rows:
        return
    if order is None:
        yield "the window has no ORDER BY"
    elif order.expressions[-1].this.name.lower() != _LAST_OF_TOTAL_ORDER:
        yield f"the order of the window must be total: end it in {_LAST_OF_TOTAL_ORDER}"


_CHECKS: dict[type[exp.Expr], Callable[[exp.Expr], Iterator[str]]] = {
    exp.DataType: _type,
    exp.Cast: _cast,
    exp.Literal: _literal,
    exp.Mul: _product,
    exp.IntDiv: _product,
    exp.Interval: _interval,
    exp.TimestampTrunc: _truncated,
    exp.DateTrunc: _truncated,
    exp.Trim: _text_options,
    exp.Star: _star,
    exp.Join: _join,
    exp.Table: _table,
    exp.Select: _select,
    exp.Group: _group,
    exp.Union: _union,
    exp.With: _with,
    exp.Order: _order,
    exp.Column: _column,
    exp.Window: _window,
}
"""What an allowed construct must keep to."""
