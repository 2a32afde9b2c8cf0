"""What the service counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
PIECES = (64, 256, 1024, 4096, 8192, 16384, 32768, 65536)


class Metrics:
    """The numbers of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("bigbird_requests", "Requests", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "bigbird_request_seconds", "Time of requests", ["route"], buckets=SECONDS, registry=self.registry
        )
        self.documents = Counter("bigbird_documents", "Documents computed", ["pipeline"], registry=self.registry)
        self.pieces = Histogram(
            "bigbird_batch_pieces", "Pieces in a batch", ["pipeline"], buckets=PIECES, registry=self.registry
        )
        self.batch_seconds = Histogram(
            "bigbird_batch_seconds", "Time of batches", ["pipeline"], buckets=SECONDS, registry=self.registry
        )
        self.waiting = Gauge("bigbird_waiting", "Documents that wait", ["pipeline"], registry=self.registry)
        self.kept = Gauge(
            "bigbird_kept_characters", "Length of kept documents with their results", registry=self.registry
        )
        self.states = Gauge("bigbird_kept_states_bytes", "States of documents that are kept", registry=self.registry)
        self.found = Counter("bigbird_kept", "Documents looked for among the kept ones", ["is"], registry=self.registry)

    def text(self) -> bytes:
        """Write all numbers in Prometheus' text format.

        RETURNS (bytes): the text.
        """
        return generate_latest(self.registry)
