"""Running many storms, one seed after the other, in one process or several."""

import multiprocessing
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import batched, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from flow_store import FlowStore

from .facts import Broken
from .history import tell
from .storm import Storm

MEMORY = Path("/dev/shm")  # noqa: S108 - only a folder of our own in it is used
REGRESSIONS = Path(__file__).with_name("seeds.txt")
BATCH = 200
"""How many runs share a database."""
LAST_EVENTS = 40


@attrs.frozen
class Failure:
    seed: int
    invariant: str
    why: str
    story: str

    def __str__(self) -> str:
        again = f"python -m simulation --seed {self.seed}"
        return f"seed {self.seed} broke {self.invariant}: {self.why}\n{self.story}\nagain: {again}"


@contextmanager
def store_in_memory() -> Iterator[tuple[FlowStore, Path]]:
    """Open a new store, in memory where that can be: every commit is synchronised."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        path = Path(folder) / "flow.sqlite3"
        with FlowStore.open(path) as store:
            yield store, path


def regression_seeds() -> list[int]:
    lines = REGRESSIONS.read_text(encoding="ascii").splitlines()
    return [int(line) for line in lines if line and not line.startswith("#")]


def run_batch(seeds: Iterable[int], most: int | None = None) -> list[Failure]:
    """Run some storms on one database; return what did not hold, and stop after `most` of it."""
    with store_in_memory() as (store, path):
        outcomes = (run_seed(Storm(store, path, seed)) for seed in seeds)
        return list(islice(filter(None, outcomes), most))


def run_seed(storm: Storm) -> Failure | None:
    with storm.world as world:
        try:
            storm.drive()
        except Exception as error:  # noqa: BLE001 - whatever the product raises is a failure
            broken = error if isinstance(error, Broken) else Broken("nothing_raises", repr(error))
            return Failure(storm.seed, broken.name, broken.why, "\n".join(tell(world, LAST_EVENTS)))
    return None


def run_all(
    seeds: list[int], processes: int, most: int
) -> Iterator[tuple[tuple[int, ...], list[Failure]]]:
    """Run storms in several processes; yield each batch and what did not hold in it.

    A batch with `most` failures is not run to its end.
    """
    batches = list(batched(seeds, BATCH))
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from zip(batches, pool.imap(partial(run_batch, most=most), batches), strict=True)
