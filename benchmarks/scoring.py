"""How well causes are found: those of a stream against the faults that its simulator planted, cause by cause.

Belongs here: counting what agrees, the table and the aims of the report. Does not belong here: simulating and computing a seed
(each stream's ``truth``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks.report import Report


@dataclass(frozen=True)
class Score:
    """How one cause was found, over all rows of one or more seeds.

    Attributes:
        cause: its label.
        planted, found: rows that were planted, and rows that carry the label.
        right: rows that were planted and carry the label.
        planted_cents, found_cents: gross cents of both.
        right_cents: gross cents on which both agree, with their sign.
    """

    cause: str
    planted: int
    found: int
    right: int
    planted_cents: int
    found_cents: int
    right_cents: int


def compared(planted: pd.DataFrame, found: pd.DataFrame, key: Sequence[str]) -> dict[str, Any]:
    """Return how causes were found and what differs; both frames have the key, ``cause`` among it, and ``cents``."""
    rows = planted.merge(found, on=list(key), how="outer", suffixes=("_planted", "_found"), indicator=True)
    rows = rows.fillna({"cents_planted": 0, "cents_found": 0}).astype({"cents_planted": "int64", "cents_found": "int64"})
    wrong = rows[rows["cents_planted"] != rows["cents_found"]].head(40)
    return {
        "scores": [vars(_score(str(cause), part)) for cause, part in rows.groupby("cause")],
        "differences": [
            " ".join(str(row[name]) for name in [*key, "cents_planted", "cents_found"] if row[name] != "")
            for row in wrong.to_dict("records")
        ],
    }


def look_alikes_named(
    look_alikes: pd.DataFrame, planted: pd.DataFrame, found: pd.DataFrame, key: Sequence[str]
) -> dict[str, int]:
    """Return how many look-alikes there are, and how many of them carry a cause that was not planted there."""
    row_key = [name for name in key if name in look_alikes.columns]
    named = look_alikes.merge(found, on=row_key).merge(
        planted[[*row_key, "cause"]], on=[*row_key, "cause"], how="left", indicator=True
    )
    return {"look_alikes": len(look_alikes), "look_alikes_named": int((named["_merge"] == "left_only").sum())}


def _score(cause: str, rows: pd.DataFrame) -> Score:
    planted, found = rows["cents_planted"], rows["cents_found"]
    agreed = pd.concat([planted.abs(), found.abs()], axis=1).min(axis=1).where(planted * found > 0, 0)
    return Score(
        cause,
        int((rows["_merge"] != "right_only").sum()),
        int((rows["_merge"] != "left_only").sum()),
        int((rows["_merge"] == "both").sum()),
        int(planted.abs().sum()),
        int(found.abs().sum()),
        int(agreed.sum()),
    )


def total(scores: Iterable[Score]) -> list[Score]:
    """Return one score per cause over several seeds."""
    frame = pd.DataFrame([vars(score) for score in scores]).groupby("cause", as_index=False).sum()
    return [Score(**{str(name): value for name, value in row.items()}) for row in frame.to_dict("records")]


def report_scores(report: Report, what: str, of_seeds: Mapping[int, Mapping[str, Any]]) -> None:
    """Show what was planted and found, in all seeds together, and what that has to be."""
    scores = [Score(**each) for facts in of_seeds.values() for each in facts["scores"]]
    report.tables[f"causes found against planted: seeds {', '.join(map(str, of_seeds))}, {what}"] = [
        {
            "cause": each.cause,
            "planted": each.planted,
            "found": each.found,
            "precision rows": _share(each.right, each.found),
            "recall rows": _share(each.right, each.planted),
            "planted cents": each.planted_cents,
            "found cents": each.found_cents,
            "precision cents": _share(each.right_cents, each.found_cents),
            "recall cents": _share(each.right_cents, each.planted_cents),
        }
        for each in total(scores)
    ]
    if differences := [{"seed": str(seed), "what": each} for seed, facts in of_seeds.items() for each in facts["differences"]]:
        report.tables["planted and found differ"] = differences
    right, planted = sum(each.right_cents for each in scores), sum(each.planted_cents for each in scores)
    report.aims.append(("planted cents found under their cause", _share(right, planted), "100.00 %"))
    look_alikes, named = (sum(facts[name] for facts in of_seeds.values()) for name in ("look_alikes", "look_alikes_named"))
    report.aims.append(("look-alikes with a cause that was not planted", f"{named} of {look_alikes}", "0"))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"
