"""`./run bench purge [--size small|full]`: the retention engine against one giant statement of the same work.

On identical copies of the same people, in turn and in changing order: the giant statement (the limit), and the daily
run (registry.approving.daily: brake, records, audit, counts, queue of the ledger) with one and with two worker
processes, as the application's role, and what was previewed and approved before. Then a writer of consents, alone and
beside a purge. After each the database is compared with what had to go.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from statistics import median

from benchmarks.support.databases import Server
from benchmarks.support.figures import Figure, judge, print_table
from benchmarks.support.people import Population, fill
from benchmarks.support.purge_ways import WAYS, Measured, Waits, measure, measure_writer
from benchmarks.support.terminal import say

GIANT, ONE, TWO, APPROVED = WAYS
HEADS = ("people, way", "people/s", "seconds", "WAL/person", "buffers/person", "longest ms", "of the giant")


@dataclass(frozen=True)
class Size:
    populations: tuple[Population, Population]
    rounds: tuple[int, int]
    idle: float  # seconds of the writer alone
    has_steady_times: bool


SIZES = {
    "small": Size((Population(20_000, 2_000), Population(60_000, 2_000)), (2, 2), 4, False),
    "full": Size((Population(1_000_000, 100_000), Population(3_000_000, 100_000)), (3, 3), 20, True),
}


@dataclass
class Results:
    """Of one population: each way's measurements, one per round."""

    population: Population
    ways: dict[str, list[Measured]]

    def ratio(self, way: str) -> float:
        """Speed compared with the giant statement of the same round: the machine drifts."""
        return median(ours.rate / limit.rate for ours, limit in zip(self.ways[way], self.ways[GIANT], strict=True))

    def middle(self, way: str, figure: str) -> float:
        return median(FIGURES[figure](measured) for measured in self.ways[way])


FIGURES = {
    "rate": lambda measured: measured.rate,
    "seconds": lambda measured: measured.seconds,
    "wal": lambda measured: measured.cost.wal / measured.people,
    "buffers": lambda measured: measured.cost.buffers / measured.people,
    "longest": lambda measured: measured.longest,
}


def main() -> int:
    size = _chosen_size()
    server = Server()
    say("migrate")
    server.migrate()
    results, waits = [], None
    for population, rounds in zip(size.populations, size.rounds, strict=True):
        template = f"bench_{population.people}"
        with server.database(template, server.empty):
            _make_people(server, template, population)
            results.append(_measure_in_turn(server, template, population, rounds))
            waits = waits or _measure_writer(server, template, size)
    _print(results, waits)
    if not size.has_steady_times:
        print("at this size times say more about the machine than about us: they are shown and not judged")
    return judge(_figures(size, results, waits))


def _chosen_size() -> Size:
    parser = argparse.ArgumentParser(prog="./run bench purge", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    return SIZES[parser.parse_args().size]


def _make_people(server: Server, template: str, population: Population) -> None:
    say(f"{population.people:,} people, of about {population.lapsed:,} something has lapsed")
    start = time.monotonic()
    with server.as_owner(template) as connection:
        fill(connection, population)
    say(f"  made in {time.monotonic() - start:.0f} s")


def _measure_in_turn(server: Server, template: str, population: Population, rounds: int) -> Results:
    results = Results(population, {way: [] for way in WAYS})
    order = list(WAYS)
    for number in range(rounds):
        for way in order:
            measured = measure(server, template, WAYS[way])
            results.ways[way].append(measured)
            say(f"  round {number + 1}, {way}: {measured.seconds:.1f} s, {measured.rate:,.0f} people/s, as expected")
        order.append(order.pop(0))
    return results


def _measure_writer(server: Server, template: str, size: Size) -> tuple[Waits, Waits]:
    say("  a writer of consents, alone and beside a purge")
    return measure_writer(server, template, size.idle)


def _print(results: list[Results], waits: tuple[Waits, Waits]) -> None:
    print_table(HEADS, [_row(each, way) for each in results for way in WAYS])
    for name, seen in zip(("alone", "beside a purge"), waits, strict=True):
        times = ", ".join(f"{key} {getattr(seen, key) * 1000:.1f} ms" for key in ("median", "p99", "max"))
        print(f"writer of consents {name}: {seen.acts:,} acts, {times}")


def _row(results: Results, way: str) -> list[str]:
    values = {figure: results.middle(way, figure) for figure in FIGURES}
    return [
        f"{results.population.people:,} {way}",
        f"{values['rate']:,.0f}",
        f"{values['seconds']:.1f}",
        f"{values['wal']:,.0f} B",
        f"{values['buffers']:.0f}",
        f"{values['longest'] * 1000:,.0f}",
        f"{results.ratio(way):.2f}",
    ]


def _figures(size: Size, results: list[Results], waits: tuple[Waits, Waits]) -> list[Figure]:
    """Times are judged at full size only; what is written and touched is judged at both."""
    timed = size.has_steady_times
    figures = []
    for each in results:
        people = each.population.people
        wal = each.middle(ONE, "wal") / each.middle(GIANT, "wal")
        longest = max(measured.longest for way in (ONE, TWO, APPROVED) for measured in each.ways[way])
        figures += [
            Figure(f"one-worker-to-giant@{people}", each.ratio(ONE), ">=", 0.8, timed),
            Figure(f"two-workers-to-giant@{people}", each.ratio(TWO), ">=", 1.4, timed),
            Figure(f"approved-to-giant@{people}", each.ratio(APPROVED), ">=", 0.7, timed),
            Figure(f"wal-to-giant@{people}", wal, "<=", 1.2),
            Figure(f"longest-batch-seconds@{people}", longest, "<=", 0.5, timed),
        ]
    few, many = results
    growth = {figure: many.middle(ONE, figure) / few.middle(ONE, figure) for figure in ("seconds", "buffers")}
    per_person = few.ways[ONE][0].people / many.ways[ONE][0].people
    quiet, busy = waits
    return [
        *figures,
        Figure("seconds-per-person-at-three-times-the-people", growth["seconds"] * per_person, "<", 1.3, timed),
        Figure("buffers-per-person-at-three-times-the-people", growth["buffers"], "<", 1.3),
        Figure("writer-p99-to-alone", busy.p99 / quiet.p99, "<=", 3, timed),
    ]


if __name__ == "__main__":
    sys.exit(main())
