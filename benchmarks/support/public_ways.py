"""The applications that are compared, each behind a server of its own, and how they are visited in turn."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median, quantiles

from benchmarks.support import cpu
from benchmarks.support.children import Child
from benchmarks.support.terminal import say
from benchmarks.support.web_server import PRODUCT, serving

OURS, BY_HAND, BARE = "ours", "by hand", "bare Django view"
APPLICATIONS = {OURS: PRODUCT, BY_HAND: "benchmarks.support.by_hand", BARE: "benchmarks.support.bare_django"}
ACTS = ("policy", "unsubscribe", "unsubscribe again", "consent")  # in this order: again is after it was done once
WARM_UP = 100  # requests of each act


@dataclass
class Visits:
    """Of one act at one application. In each round: requests a second, processor seconds of the web server and of the
    database for a request. Of every request: the seconds it took."""

    rates: list[float] = field(default_factory=list)
    web: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return median(self.rates)

    @property
    def p50(self) -> float:
        return median(self.times)

    @property
    def p99(self) -> float:
        return quantiles(self.times, n=100)[98]

    @property
    def tail(self) -> float:
        return self.p99 / self.p50

    def ratio(self, limit: "Visits") -> float:
        """Speed compared with the limit in the same round: the machine drifts."""
        return median(rate / best for rate, best in zip(self.rates, limit.rates, strict=True))


Results = dict[str, dict[str, Visits]]  # by act, then by application


@dataclass(frozen=True)
class Site:
    """An application that answers at `port`; `web` and `database` are the processes."""

    environment: Mapping[str, str]
    port: int
    web: int
    database: int

    def visit(self, act: str, first: int, count: int, visits: Visits) -> None:
        """The people from number `first` on come."""
        child = Child("benchmarks.support.visitors", self.environment, act, *map(str, (self.port, first, count)))
        web, database = cpu.seconds(self.web), cpu.seconds(self.database)
        child.tell("go")
        answer = child.answer()
        visits.web.append((cpu.seconds(self.web) - web) / count)
        visits.database.append((cpu.seconds(self.database) - database) / count)
        visits.rates.append(count / answer["seconds"])
        visits.times += answer["times"]


def measure_in_turn(
    environments: Mapping[str, Mapping[str, str]], database: int, rounds: int, requests: int
) -> Results:
    """So many `requests` of each act in each round, every time of other people. `environments` by application,
    `database` its process."""
    results: Results = {act: {OURS: Visits(), BY_HAND: Visits()} for act in ACTS}
    results[ACTS[0]][BARE] = Visits()  # it answers everything alike
    with ExitStack() as stack:
        sites = {
            name: Site(environment, *stack.enter_context(serving(APPLICATIONS[name], environment)), database)
            for name, environment in environments.items()
        }
        for act, by_name in results.items():
            for name in by_name:
                sites[name].visit(act, 0, WARM_UP, Visits())
        for number in range(rounds):
            first = WARM_UP + number * requests
            for act, by_name in results.items():
                for name in list(by_name)[:: -1 if number % 2 else 1]:
                    sites[name].visit(act, first, requests, by_name[name])
            say(f"  round {number + 1} of {rounds}")
    return results
