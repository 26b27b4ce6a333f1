"""What a gateway shows to Prometheus, in a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 12.0)
"""Up to the default deadlines: of a first token, and of a whole streamed answer."""
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "graftwork_gateway_requests",
            "Units by arm, version and how they ended.",
            ("variant", "version", "outcome"),
            registry=self.registry,
        )
        self.refused = Counter(
            "graftwork_gateway_refused",
            "Requests refused on arrival, which are units of no arm: they would not have met their deadline.",
            ("reason",),
            registry=self.registry,
        )
        self.latency = Histogram(
            "graftwork_gateway_latency_seconds",
            "From arrival to the end of a unit.",
            ("variant",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.first_token = Histogram(
            "graftwork_gateway_first_token_seconds",
            "From arrival to the first token of a streamed answer.",
            ("variant",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_rows = Histogram(
            "graftwork_gateway_batch_rows", "Rows computed together.", buckets=_ROWS, registry=self.registry
        )
        self.generation = self._gauge("generation", "The generation in force.")
        self.applied_weight = self._gauge("applied_weight", "The canary's share that applies now.")
        self.lease_seconds = self._gauge("lease_seconds", "How long the canary's lease still runs.")
        self.unsent_seconds = self._gauge("unsent_seconds", "Observed seconds not yet accepted by the control plane.")
        self.lost_seconds = Counter(
            "graftwork_gateway_lost_seconds",
            "Observed seconds that came too late for the fold, or were refused.",
            registry=self.registry,
        )

    def render(self) -> bytes:
        return generate_latest(self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"graftwork_gateway_{name}", text, registry=self.registry)
