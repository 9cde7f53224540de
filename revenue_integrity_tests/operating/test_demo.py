"""A demo home: what simulators are asked for, and what comes late, with simulators that only write down what they are asked."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from revenue_integrity import months
from revenue_integrity.errors import RevenueIntegrityError, UsageError
from revenue_integrity.model.simulator import Cutoff, LateStory, Option, Simulated, Simulation, Simulator
from revenue_integrity.operating import demo
from revenue_integrity.settings import Settings
from revenue_integrity.streams.registry import deployment_of
from revenue_integrity_tests.support import home_settings

ARRIVAL = "20250601T000000Z"


@dataclass
class Made:
    """A simulator of nothing, which keeps what it was asked for."""

    stream: str
    options: tuple[Option, ...] = ()
    refused: str = ""
    months_back: int = 0
    asked: list[Simulation] = field(default_factory=list)
    late_for: list[date] = field(default_factory=list)

    def judge(self, asked: Simulation) -> None:
        if self.refused:
            raise UsageError(self.refused, "Ask for something else")

    def simulate(self, asked: Simulation) -> Simulated:
        self.asked.append(asked)
        (asked.landing / self.stream / "rows" / ARRIVAL).mkdir(parents=True)
        return Simulated(batches=1, rows=2, faults=3)

    def tell(self, landing: Path, month: date, cutoff: Cutoff) -> str:
        assert cutoff(month) > datetime(month.year, month.month, 28, tzinfo=UTC)
        self.late_for.append(month)
        return f"{self.stream}/rows/20250701T000000Z"

    @property
    def declared(self) -> Simulator:
        late = LateStory("late row", self.months_back, self.tell) if self.months_back else None
        return Simulator(self.stream, "{sheep} sheep", self.options, self.judge, self.simulate, late)


def of(*made: Made) -> dict[str, Simulator]:
    return {each.stream: each.declared for each in made}


def simulate(settings: Settings, *made: Made, only: str | None = None) -> None:
    demo.simulate_sources(
        deployment_of(settings),
        of(*made),
        settings.months,
        options={"sheep": 7, "goats": 9},
        seed=5,
        faults="none",
        say=lambda _: None,
        only=only,
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return home_settings(tmp_path / "home", first_month="2025-01", last_month="2025-03", currency="EUR")


def test_each_simulator_is_asked_for_its_own_options_and_told_what_all_of_them_need(settings: Settings) -> None:
    sheep, goats = Made("colocation", (Option("sheep", "Sheep.", 2),)), Made("cloud", (Option("goats", "Goats.", 3),))
    simulate(settings, sheep, goats)
    (first,), (second,) = sheep.asked, goats.asked
    assert (first.options, second.options) == ({"sheep": 7}, {"goats": 9})
    assert (first.others, second.others) == (("cloud",), ("colocation",))
    for asked in (first, second):
        assert (asked.months, asked.seed, asked.faults, asked.currency) == (settings.months, 5, "none", "EUR")
        assert (asked.landing, asked.truth) == (settings.landing_path, settings.landing_path.parent / "truth")
        assert asked.cutoff(date(2025, 1, 1)).date() == date(2025, 2, 7), "the fifth business day"


def test_what_one_refuses_leaves_nothing_of_the_others(settings: Settings) -> None:
    good, bad = Made("colocation"), Made("cloud", refused="no such fault")
    with pytest.raises(UsageError, match="no such fault"):
        simulate(settings, good, bad)
    assert not good.asked
    assert not settings.landing_path.exists()
    assert not (settings.home / "demo").exists()


def test_a_stream_that_no_simulator_writes_for_is_refused_with_those_that_there_are(settings: Settings) -> None:
    with pytest.raises(UsageError, match="no simulator of the stream 'sales'") as refused:
        simulate(settings, Made("colocation"), Made("cloud"), only="sales")
    assert "Streams: colocation, cloud" in str(refused.value)


def test_simulated_batches_never_join_those_of_a_user_even_of_another_stream(settings: Settings) -> None:
    (settings.landing_path / "cloud" / "billing_events" / ARRIVAL).mkdir(parents=True)
    with pytest.raises(RevenueIntegrityError, match="holds batches already"):
        simulate(settings, Made("colocation"), only="colocation")


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2024-01", "2026-03", "2024-10:2025-12"),
        ("2025-02", "2025-04", "2025-02:2025-04"),
        ("2027-01", "2029-12", "2027-01:2028-03"),
    ],
)
def test_the_demo_shows_fifteen_months_or_as_many_of_the_homes_own(tmp_path: Path, first: str, last: str, expected: str) -> None:
    settings = home_settings(tmp_path, first_month=first, last_month=last)
    made = Made("colocation", (Option("sheep", "Sheep.", 2),))
    demo.prepare_home(deployment_of(settings), of(made), say=lambda _: None)
    assert made.asked[0].months == months.parse_range(expected)
    assert made.asked[0].options == {"sheep": 2}
    demo.prepare_home(deployment_of(settings), of(made), say=lambda _: None)
    assert len(made.asked) == 1, "a home with batches is left as it is"


def test_each_late_story_is_told_once_for_a_month_that_was_signed(settings: Settings) -> None:
    far, near, none, unused = (
        Made("colocation", months_back=3),
        Made("cloud", months_back=1),
        Made("other"),
        Made("new", months_back=1),
    )
    simulate(settings, far, near, none)
    said: list[str] = []
    signed = settings.months[:2]
    stories = of(far, near, none, unused)
    by_stream = dict.fromkeys(("colocation", "cloud", "other", "new"), signed)
    assert demo.tell_late(settings, stories, by_stream, say=said.append)
    assert (far.late_for, near.late_for, unused.late_for) == ([signed[0]], [signed[1]], []), "no further back than was signed"
    assert said == [
        "A late row for 2025-01 has arrived after its sign-off: colocation/rows/20250701T000000Z",
        "A late row for 2025-02 has arrived after its sign-off: cloud/rows/20250701T000000Z",
    ]
    assert not demo.tell_late(settings, stories, dict.fromkeys(by_stream, settings.months), say=said.append)
    assert len(said) == 2


def test_a_demo_home_of_the_release_before_has_had_its_late_posting(settings: Settings) -> None:
    made = Made("colocation", months_back=1)
    simulate(settings, made)
    mark = settings.home / "demo"
    mark.write_text(f"{mark.read_text()}Late posting landed: colocation/erp_invoices/20260105T000000Z\n", encoding="utf-8")
    assert not demo.tell_late(settings, of(made), {"colocation": settings.months}, say=lambda _: None)
    assert made.late_for == []
