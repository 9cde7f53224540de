"""The linter of SQL sees what it should, in a query as it is run."""

from pathlib import Path

import pytest

from revenue_integrity_tests import sql_style
from revenue_integrity_tests.toy.stream import TOY


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("SELECT a from t\n", "CP01"),
        ("select A from t\n", "CP02"),
        ("select Sum(a) as a from t\n", "CP03"),
        ("select a is NULL as a from t\n", "CP04"),
        ("select a::DATE as a from t\n", "CP05"),
        ("select\n    a\n    , b\nfrom t\n", "LT04"),
        ("select a  as b from t\n", "LT01"),
        ("select a from t join s using (a)\n", "AM05"),
        ("select a from from t\n", "PRS"),
    ],
)
def test_what_is_not_our_style_is_told_with_its_line(text: str, rule: str) -> None:
    told = sql_style.offences(text)
    assert [line.split(":")[0] for line in told] == [rule]
    assert told[0].split(" | ")[1] in text


def test_a_query_is_seen_with_its_includes_and_parameters() -> None:
    rendered = [path for path in sql_style.queries() if "{%" in path.read_text(encoding="utf-8")]
    assert len(rendered) > 5
    for path in rendered:
        text = sql_style.Rendering().query(path)
        assert not [begins for begins in ("{%", "{{", "{#", "$") if begins in text], path


def test_a_template_is_seen_as_it_is_written_out_for_each_stream() -> None:
    found, read = sql_style.texts([], [TOY])
    linted = dict(found)
    sides = linted["reconcile for toy"]
    assert "toy_boats" in sides
    assert "{" not in sides
    assert {path.name for path in read} >= {"reconcile.sql.j2", "booked_vs_due.sql", "recon_summary.sql.j2"}
    assert [sql_style.offences(text) for text in linted.values()] == [[]] * len(linted)


def test_lines_that_are_too_long_or_end_in_blanks_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sql_style, "ROOT", tmp_path)
    (tmp_path / "a.sql").write_text(f"select 1\n-- {'x' * 128}\nfrom t \n\tlimit 1")
    (tmp_path / "b.sql").write_text("select 1\n")
    told = list(sql_style.plain_offences([tmp_path / "a.sql", tmp_path / "b.sql"]))
    assert told == [
        "a.sql:2: longer than 130",
        "a.sql:3: a tab, or blanks at its end",
        "a.sql:4: a tab, or blanks at its end",
        "a.sql: does not end with one line break",
    ]
