"""The next batch, drawn while this one is learnt from, so that a GPU does not wait for it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from adaptation.lesson import Lesson

BatchOf = Callable[[int], Lesson]


@contextmanager
def one_ahead(batch_of: BatchOf) -> Iterator[BatchOf]:
    """Yield what gives the same batches as `batch_of`, and has begun with the next one when it gives one."""
    waiting: dict[int, Future[Lesson]] = {}
    with ThreadPoolExecutor(max_workers=1) as pool:

        def ahead(step: int) -> Lesson:
            this = waiting.pop(step, None) or pool.submit(batch_of, step)
            waiting.clear()
            waiting[step + 1] = pool.submit(batch_of, step + 1)
            return this.result()

        yield ahead
