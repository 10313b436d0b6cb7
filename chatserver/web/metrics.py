"""`GET /metrics`: the figures of every process, in the form that Prometheus takes. Only with the operator's token;
whoever has none learns not even that there is such an address.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chatserver.figures import BOUNDS, FIGURES, Distribution, Figure, Kind, Report, Sample
from chatserver.reporting import Reporting
from chatserver.web.requests import bearer

PROCESS_LABELS = ("node", "process", "role")
COMPLETE = "chat_metrics_complete"


class MetricsApi:
    """The address; with an empty `token` it is not there."""

    def __init__(self, reporting: Reporting, token: str) -> None:
        self._reporting, self._token = reporting, token.encode()

    def routes(self) -> list[Route]:
        """To be put into the application."""
        return [Route("/metrics", self._metrics)]

    async def _metrics(self, request: Request) -> Response:
        given = (bearer(request) or "").encode()
        if not self._token or not hmac.compare_digest(given, self._token):
            raise HTTPException(404)
        others = await self._reporting.others()
        reports = [await self._reporting.own(), *(others or ())]
        # In a thread: some 4 ms a process, for which nobody's message should wait.
        text = await asyncio.to_thread(exposition, reports, complete=others is not None)
        return Response(
            text,
            headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"},
        )


def exposition(reports: Sequence[Report], *, complete: bool) -> bytes:
    """The text; `complete`: whether the other processes could be asked for."""
    registry = CollectorRegistry()
    registry.register(_Figures(reports, complete=complete))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, reports: Sequence[Report], *, complete: bool) -> None:
        self._reports, self._complete = reports, complete

    def describe(self) -> list[Metric]:
        """Nothing is registered twice: the registry lives for one answer."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Each figure once, with its values in every process that has some."""
        what = "0: Redis did not answer, only the figures of this process are here"
        yield GaugeMetricFamily(COMPLETE, what, value=int(self._complete))
        found: dict[str, list[tuple[list[str], Sample]]] = {name: [] for name in FIGURES}
        for report in self._reports:
            for sample in report.samples:
                if _fits(sample):
                    found[sample.figure].append(([report.node, report.process, report.role], sample))
        for name, samples in found.items():
            if samples:
                yield _family(FIGURES[name], samples)


def _fits(sample: Sample) -> bool:
    """Not so what a process of another version means by a name."""
    figure = FIGURES.get(sample.figure)
    if figure is None or len(sample.labels) != len(figure.labels):
        return False
    if figure.kind is not Kind.TIMES:
        return not isinstance(sample.value, Distribution)
    return isinstance(sample.value, Distribution) and len(sample.value.counts) == len(BOUNDS) + 1


def _family(figure: Figure, samples: Sequence[tuple[list[str], Sample]]) -> Metric:
    family = _FAMILIES[figure.kind](figure.name, figure.what, labels=(*PROCESS_LABELS, *figure.labels))
    for process, sample in samples:
        labels = [*process, *sample.labels]
        if isinstance(family, HistogramMetricFamily):
            assert isinstance(sample.value, Distribution)
            ends = (*map(str, BOUNDS), "+Inf")
            buckets = list(zip(ends, accumulate(sample.value.counts), strict=True))
            family.add_metric(labels, buckets, sum_value=sample.value.seconds)
        else:
            assert not isinstance(sample.value, Distribution)
            family.add_metric(labels, sample.value)
    return family


_FAMILIES: Mapping[Kind, type[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]] = {
    Kind.COUNTER: CounterMetricFamily,
    Kind.GAUGE: GaugeMetricFamily,
    Kind.TIMES: HistogramMetricFamily,
}
