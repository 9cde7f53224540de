"""The normal form of code, and which names it uses without binding them: what a version rests on."""

import ast
import textwrap

import pytest

from revenue_integrity.computing.source_code import Imported, Used, names_used, normal_form

MODULE = "revenue_integrity.months"


def form(code: str) -> str:
    """Return the normal form of a piece of code."""
    return normal_form(ast.parse(textwrap.dedent(code)).body)


def used(code: str) -> set[tuple[str, ...]]:
    """Return the names that a piece of code uses, imports inside it left out."""
    return {each.names for each in names_used(ast.parse(textwrap.dedent(code)).body, MODULE) if each.via is None}


PLAIN = """
    def total(rows: list[int], start: int = 0) -> int:
        return sum(rows, start)
"""


@pytest.mark.parametrize(
    "alike",
    [
        """
    def total(rows: list[int], start: int = 0) -> int:
        # Of all rows.
        return sum(  # the sum
            rows,
            start,
        )
""",
        '''
    def total(rows: list[int], start: int = 0) -> int:
        """Return the sum."""
        return (sum(rows, start))
''',
        """
    def total(rows: "Sequence[Cents]", start=0):
        return sum(rows, start)
""",
    ],
    ids=["comments and lines", "docstring and brackets", "annotations"],
)
def test_what_people_read_is_no_part_of_the_normal_form(alike: str) -> None:
    assert form(alike) == form(PLAIN)


@pytest.mark.parametrize(
    ("old", "new"),
    [("start: int = 0", "start: int = 1"), ("sum(", "max("), ("sum(rows, start)", "sum(rows)"), ("def total", "def other")],
)
def test_what_decides_a_result_is_part_of_the_normal_form(old: str, new: str) -> None:
    assert form(PLAIN.replace(old, new)) != form(PLAIN)


def test_annotations_of_a_class_are_its_fields_and_their_docstrings_are_not() -> None:
    plain = "class Line:\n    cents: int\n    late: bool = False\n"
    assert form('class Line:\n    """A line."""\n    cents: int\n    """What it says."""\n    late: bool = False\n') == form(
        plain
    )
    assert form(plain.replace("cents: int", "cents: float")) != form(plain)
    assert form("class Line:\n    late: bool = False\n    cents: int\n") != form(plain)


def test_names_that_code_binds_itself_are_not_used_from_elsewhere() -> None:
    elsewhere = (
        "decorated given default constant opened other_file items Broken print free squared loops asked bound_nowhere Kind"
    )
    assert used("""
        @decorated(given)
        def outer(parameter, other=default, *more, **rest):
            local = parameter + constant
            with opened() as file, other_file:
                pass
            try:
                for item in items:
                    local += item
            except Broken as error:
                print(error)
            def inner(own):
                return own + local + free
            [loop + squared for loop in loops if loop]
            {key: value for key, value in parameter.items()}
            if (named := asked()) > 1:
                return lambda x: x + named + bound_nowhere
            match parameter:
                case {"a": caught, **remaining}: return caught, remaining
                case [first, *others]: return first, others
                case Kind(field=got) as whole: return got, whole
            return inner
    """) == {(name,) for name in elsewhere.split()}


def test_a_parameter_hides_the_function_of_its_name() -> None:
    # Rules take frames by the names of tables, and functions of the same module have these names too.
    assert used("def site_month(month, contract_month): return contract_month.sum() + months.add(month, 1)") == {
        ("months", "add")
    }


def test_what_a_comprehension_goes_over_is_evaluated_outside_of_it() -> None:
    assert used("def f(): return [months for months in months.between(a, b)]") == {("months", "between"), ("a",), ("b",)}


def test_names_of_a_class_are_not_those_of_its_methods() -> None:
    assert used("""
        class Row(Base, metaclass=Meta):
            limit = 1
            double = limit * factor
            def method(self): return limit
    """) == {("Base",), ("Meta",), ("factor",), ("limit",)}


def test_annotations_use_nothing() -> None:
    assert used("def f(a: Alpha, *b: Beta) -> Gamma:\n    c: Delta = 1\n    return a") == set()


def test_imports_inside_a_function_are_followed() -> None:
    code = ast.parse(
        "def f():\n    from revenue_integrity import months\n    import json\n    return months.add, json.dumps\n"
    ).body
    assert names_used(code, MODULE) == {
        Used(("months", "add"), Imported("revenue_integrity", "months")),
        Used(("json", "dumps"), Imported("json")),
    }


def test_a_global_name_of_a_function_is_used_from_elsewhere() -> None:
    assert used("def f():\n    global known\n    known = known + 1") == {("known",)}
