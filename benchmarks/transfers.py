"""`./run bench transfers [--size small|full]`: everybody of a purpose given to a partner, against COPY and bare AES-GCM.

Ours: the gate writes a line a person with the consent that allowed it, the file is built and sealed, the gate is asked
again, the digest is taken, the file is read. By hand: the same rows by one COPY, opened. Both in turn, each in a process
of its own, as the application's role. One person in ten did not agree. Memory must not grow with the people.
"""

import argparse
import sys
from statistics import median
from typing import Any

from benchmarks.support import crowd, really_sealed
from benchmarks.support.children import Child
from benchmarks.support.databases import Server
from benchmarks.support.figures import Figure, judge, print_table
from benchmarks.support.terminal import say

SIZES = {"small": ((5_000, 20_000), False), "full": ((20_000, 1_000_000), True)}
ROUNDS = 3
NOT_AGREED = "UPDATE registry_processing SET third_parties = false WHERE mod(id / 100, 10) = 3"
HEADS = ("people", "given", "gate s", "build s", "take s", "people/s", "by hand s", "of by hand", "memory MB")
Round = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench transfers", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    sizes, has_steady_times = SIZES[parser.parse_args().size]
    server = Server()
    say("migrate")
    server.migrate()
    seen = {people: _measure(server, people) for people in sizes}
    print_table(HEADS, [_row(people, rounds) for people, rounds in seen.items()])
    return judge(_figures(list(seen.values()), has_steady_times))


def _measure(server: Server, people: int) -> list[Round]:
    say(f"{people:,} people")
    with server.database(f"bench_transfers_{people}", server.empty) as database:
        crowd.fill(server, database, people, "benchmarks.support.first_given", without=really_sealed.TABLES)
        really_sealed.fill(server, database, people)
        with server.as_owner(database) as connection:
            connection.execute(NOT_AGREED)
            connection.execute("VACUUM (ANALYZE) registry_processing")
            connection.execute("CHECKPOINT")
        return [_round(server, database, number) for number in range(ROUNDS)]


def _round(server: Server, database: str, number: int) -> Round:
    hand, ours = (_done(server, database, way) for way in ("hand", "ours"))
    if not 0 < ours["people"] <= hand["values"] <= 2 * ours["people"]:
        raise AssertionError(f"{ours['people']} people went, by hand {hand['values']} values")
    ours |= {"hand": hand["seconds"], "all": ours["gate"] + ours["build"] + ours["take"]}
    say(f"  round {number + 1}: by hand {ours['hand']:.1f} s, ours {ours['all']:.1f} s")
    return ours


def _done(server: Server, database: str, way: str) -> Round:
    child = Child("benchmarks.support.giver", server.environment(database), way)
    child.tell("go")
    return child.answer()


def _middle(rounds: list[Round], figure: str) -> float:
    return median(seen[figure] for seen in rounds)


def _ratio(rounds: list[Round]) -> float:
    return median(seen["hand"] / seen["all"] for seen in rounds)


def _row(people: int, rounds: list[Round]) -> list[str]:
    given = rounds[0]["people"]
    seconds = [f"{_middle(rounds, figure):.2f}" for figure in ("gate", "build", "take")]
    return [
        f"{people:,}", f"{given:,}", *seconds, f"{given / _middle(rounds, 'all'):,.0f}",
        f"{_middle(rounds, 'hand'):.2f}", f"{_ratio(rounds):.2f}", f"{_middle(rounds, 'memory'):.0f}",
    ]  # fmt: skip


def _figures(seen: list[list[Round]], timed: bool) -> list[Figure]:
    few, many = seen
    return [
        Figure("transfer-of-by-hand", _ratio(many), ">=", 0.5, timed),
        Figure("transfer-memory-many-to-few", _middle(many, "memory") / _middle(few, "memory"), "<", 1.3),
    ]


if __name__ == "__main__":
    sys.exit(main())
