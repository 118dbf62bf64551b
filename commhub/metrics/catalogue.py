"""Every metric there is: its name, what it says, its labels. ``docs/metrics.md`` lists the same; a test compares.

Base units (seconds, bytes), one namespace; ``process`` is a process of the hub (``hub``, ``media-0``, ``record-0``,
``bridge-rtsp``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """``name`` without the ``_total`` that counters are exported with."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def exported(self) -> str:
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _gauge(name: str, help: str, *labels: str) -> Metric:
    return Metric(f"commhub_{name}", "gauge", help, labels)


def _counter(name: str, help: str, *labels: str) -> Metric:
    return Metric(f"commhub_{name}", "counter", help, labels)


def _histogram(name: str, help: str, buckets: tuple[float, ...], *labels: str) -> Metric:
    return Metric(f"commhub_{name}", "histogram", help, labels, buckets)


JOIN_BUCKETS = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 15.0)
DATABASE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

METRICS: tuple[Metric, ...] = (
    _gauge("build_info", "1; what runs, in its labels.", "version", "python"),
    _gauge("up", "1 while the hub is linked to this process.", "process"),
    # rooms
    _gauge("rooms", "Rooms that exist now."),
    _gauge("participants", "Participants in rooms now, by kind: person, camera, service.", "kind"),
    _gauge("tracks", "Published tracks now, by kind (audio, video) and source.", "kind", "source"),
    _histogram("join_seconds", "From the request to join until stage: connected (ICE, DTLS), media (first packet of a track).",
               JOIN_BUCKETS, "stage"),
    _counter("signalling_malformed", "Signalling messages that could not be read."),
    _counter("http_refused", "Connections the HTTP port did not take, or gave up, by reason.", "reason"),
    # media workers
    _gauge("worker_rooms", "Rooms on this media worker now.", "process"),
    _gauge("worker_participants", "Participants on this media worker now.", "process"),
    _gauge("worker_overload", "What the worker gives up: 0 nothing, 1 better layers, 2 new participants.", "process"),
    _gauge("worker_draining", "1 while the worker gives its rooms away to end.", "process"),
    _gauge("loop_lag_seconds", "How late the event loop's clock rang, at worst since the last reading or report.", "process"),
    _gauge("kernel_wait_seconds", "How long a datagram lay in the kernel before it was forwarded, at worst in the last second.",
           "process"),
    _counter("packets", "RTP packets, by direction: in from publishers, out to subscribers.", "process", "direction"),
    _counter("bytes", "Bytes of RTP, by direction.", "process", "direction"),
    _counter("packets_lost", "Packets of publishers that never came, not even on request.", "process"),
    _counter("packets_dropped", "Datagrams that were not forwarded, by reason.", "process", "reason"),
    _counter("nacks", "Packets asked for once more: in by subscribers, out of publishers.", "process", "direction"),
    _counter("plis", "Key frames asked for: in by subscribers, out of publishers.", "process", "direction"),
    _counter("packets_resent", "Packets sent once more to subscribers.", "process"),
    _counter("packets_restored", "Packets of publishers that came by retransmission.", "process"),
    _counter("layer_switches", "Changes of the layer that is sent to somebody.", "process"),
    _gauge("transports", "Peer connections now.", "process"),
    _gauge("kept_bytes", "What came of cameras since their last key frames, kept for who opens them next.", "process"),
    _gauge("receivers", "Incoming tracks in the data plane now.", "process"),
    _gauge("routes", "Outgoing copies of tracks to participants now.", "process"),
    _gauge("taps", "Outgoing copies of tracks to recorders now.", "process"),
    _counter("link_batches_dropped", "Batches of packets dropped between processes, because the other one was slow.", "process"),
    # recorder
    _gauge("recordings", "Recordings that run now.", "process"),
    _counter("recorder_bytes", "Bytes written to recordings.", "process"),
    _gauge("recorder_waiting_bytes", "Bytes that wait for the disk.", "process"),
    _counter("recorder_gaps", "Gaps in recorded tracks.", "process"),
    _gauge("recorder_lag_seconds", "From a packet's arrival until the recorder had it, at worst in 5 s.", "process"),
    _gauge("recorder_free_bytes", "Free on the disk that recordings lie on.", "process"),
    _gauge("recorder_disk_bytes", "Size of the disk that recordings lie on.", "process"),
    _gauge("recorder_disk_step", "What is left out for want of room: 0 nothing, 1 an alarm, 2 copies of what a store has, "
           "3 to 7 more and more, 8 everything.", "process"),
    _counter("upload_bytes", "Bytes of recordings put into the S3 store.", "process"),
    _gauge("upload_waiting_files", "Files that wait for an S3 store that fails.", "process"),
    _gauge("upload_waiting_bytes", "Bytes that wait for an S3 store that fails.", "process"),
    _gauge("upload_failing_seconds", "Since when the S3 store takes nothing.", "process"),
    # cameras
    _gauge("cameras", "Cameras in consultations and on walls, by state: idle, connecting, live, failed.", "state"),
    _gauge("transcodes", "Cameras whose pictures are converted to H.264 now.", "process"),
    _counter("transcode_deaths", "Converters that died and were replaced.", "process"),
    # devices that call in
    _gauge("devices", "Devices of GB/T 28181, by state: admitted, registered, online.", "process", "state"),
    _gauge("device_questions", "Questions to devices that have no answer yet.", "process"),
    _gauge("device_subscriptions", "Subscriptions at devices that stand.", "process"),
    _counter("device_registrations",
             "Requests to register, by result: accepted, challenged, stale, wrong_password, slowed, unknown.",
             "process", "result"),
    _gauge("device_facts_waiting", "What devices have told and the hub has not written yet: channels, states, alarms."),
    _counter("alarms_dropped", "Alarms of devices that raise more than they should."),
    _counter("device_restarts", "Devices that registered anew without having left.", "process"),
    _counter("device_messages",
             "Messages of devices: keepalive, catalogue, catalogue_change, alarm, position, unreadable, refused.",
             "process", "kind"),
    _counter("device_catalogues", "Catalogues read, by result: complete, incomplete.", "process", "result"),
    _counter("device_moves", "Moves of cameras.", "process"),
    _counter("sip_messages", "SIP messages that came.", "process"),
    _counter("sip_dropped", "SIP messages and connections that were not served, by reason.", "process", "reason"),
    # database
    _histogram("database_seconds", "Time of the database, by operation: waiting (for its turn), writing, reading.",
               DATABASE_BUCKETS, "operation"),
    # webhooks
    _gauge("webhooks_waiting", "Events that wait for this receiver.", "receiver"),
    _counter("webhooks_delivered", "Events this receiver took.", "receiver"),
    _counter("webhooks_failures", "Tries that this receiver did not take.", "receiver"),
    _counter("webhooks_dead", "Events given up.", "receiver"),
    _gauge("webhook_receiver_up", "1 while the receiver answers.", "receiver"),
    _counter("webhooks_lost", "Events that could not even be kept, because the database could not be written."),
    # processes
    _gauge("process_resident_memory_bytes", "Memory in use.", "process"),
    _counter("process_cpu_seconds", "CPU time used.", "process"),
    _gauge("process_open_fds", "Open file descriptors.", "process"),
    _gauge("process_start_time_seconds", "When it was started, unix time.", "process"),
)  # fmt: skip

BY_NAME = {metric.name: metric for metric in METRICS}
