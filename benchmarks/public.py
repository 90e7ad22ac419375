"""`./run bench public [--size small|full]`: the public pages through the real server, against the same work by hand.

Three applications, each under gunicorn with the product's own command line, processes and threads: ours; one written by
hand that leaves the same rows (the limit); one Django view that answers with fixed bytes (the floor of the framework).
Eight visitors at a time wait for each answer: they read the policy, unsubscribe with one click, do it once more, ask for
consent. In turn and in changing order, on two copies of one registry; in the end both must hold as many rows, filled in
the same columns.
"""

import argparse
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from benchmarks.support import crowd, same_rows
from benchmarks.support.databases import Server
from benchmarks.support.figures import Figure, judge, print_table
from benchmarks.support.public_ways import APPLICATIONS, BY_HAND, OURS, WARM_UP, Results, Visits, measure_in_turn
from benchmarks.support.terminal import say

HEADS = ("act, application", "requests/s", "p50 ms", "p99 ms", "p99 : p50", "web CPU ms", "database CPU ms", "of by hand")
TEMPLATE = "bench_public"
JUDGED = ("unsubscribe", "consent")


@dataclass(frozen=True)
class Size:
    people: int
    rounds: int
    requests: int  # of each act in a round
    has_steady_times: bool


SIZES = {"small": Size(5_000, 2, 150, False), "full": Size(100_000, 5, 1_000, True)}


def main() -> int:
    size = _chosen_size()
    server = Server()
    say("migrate")
    server.migrate()
    with ExitStack() as stack:
        say(f"{size.people:,} people")
        stack.enter_context(server.database(TEMPLATE, server.empty))
        crowd.fill(server, TEMPLATE, size.people)
        databases = {name: f"{TEMPLATE}_{number}" for number, name in enumerate(APPLICATIONS)}
        for database in databases.values():
            stack.enter_context(server.database(database, TEMPLATE))
        environments = {name: server.environment(one) | {"BEHIND_PROXY": "1"} for name, one in databases.items()}
        results = measure_in_turn(environments, server.process(), size.rounds, size.requests)
        _compare(server, databases, WARM_UP + size.rounds * size.requests)
    _print(results)
    if not size.has_steady_times:
        print("at this size times say more about the machine than about us: they are shown and not judged")
    return judge(_figures(size, results))


def _chosen_size() -> Size:
    parser = argparse.ArgumentParser(prog="./run bench public", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    return SIZES[parser.parse_args().size]


def _compare(server: Server, databases: Mapping[str, str], requests: int) -> None:
    """Raises if ours and by hand did not write the same."""
    counts = {}
    for name in (OURS, BY_HAND):
        with server.as_owner(databases[name]) as connection:
            counts[name] = same_rows.count(connection)
            same_rows.check(connection, requests)
    if found := same_rows.differences(counts[OURS], counts[BY_HAND]):
        raise AssertionError(f"not the same work, ours and by hand: {'; '.join(found)}")


def _print(results: Results) -> None:
    print_table(HEADS, [_row(act, name, results[act]) for act in results for name in results[act]])


def _row(act: str, name: str, by_name: Mapping[str, Visits]) -> list[str]:
    seen = by_name[name]
    return [
        f"{act}, {name}", f"{seen.rate:,.0f}", f"{seen.p50 * 1000:.1f}", f"{seen.p99 * 1000:.1f}", f"{seen.tail:.1f}",
        f"{median(seen.web) * 1000:.1f}", f"{median(seen.database) * 1000:.1f}", f"{seen.ratio(by_name[BY_HAND]):.2f}",
    ]  # fmt: skip


def _figures(size: Size, results: Results) -> list[Figure]:
    figures = []
    for act in JUDGED:
        ours, limit = results[act][OURS], results[act][BY_HAND]
        figures += [
            Figure(f"{act}-to-by-hand", ours.ratio(limit), ">=", 0.5, size.has_steady_times),
            Figure(f"{act}-p99-to-p50", ours.tail, "<", 4, size.has_steady_times),
        ]
    return figures


if __name__ == "__main__":
    sys.exit(main())
