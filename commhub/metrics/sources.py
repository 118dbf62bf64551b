"""Where the figures come from: counters that the hub's parts keep anyway, read when somebody asks."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable

import commhub
from commhub.devices import Devices
from commhub.feeds import Feeds
from commhub.links import ChildLink
from commhub.media.workers import Workers
from commhub.metrics.registry import Scrape, Source
from commhub.webhooks import Webhooks
from signaling.participant import SOURCE_NAMES
from signaling.rooms import Rooms

#: What a worker calls it → metric and labels besides the process.
_WORKER: dict[str, tuple[str, ...]] = {
    "packets_in": ("packets", "in"),
    "packets_out": ("packets", "out"),
    "octets_in": ("bytes", "in"),
    "octets_out": ("bytes", "out"),
    "lost": ("packets_lost",),
    "malformed": ("packets_dropped", "malformed"),
    "unknown_path": ("packets_dropped", "unknown_path"),
    "unknown_stream": ("packets_dropped", "unknown_stream"),
    "unauthentic": ("packets_dropped", "unauthentic"),
    "replayed": ("packets_dropped", "replayed"),
    "stun_limited": ("packets_dropped", "stun_limited"),
    "dropped_out": ("packets_dropped", "send_buffer_full"),
    "failed": ("packets_dropped", "failed"),
    "connections_refused": ("packets_dropped", "connection_refused"),
    "nacks_in": ("nacks", "in"),
    "nacks_out": ("nacks", "out"),
    "plis_in": ("plis", "in"),
    "plis_out": ("plis", "out"),
    "resent": ("packets_resent",),
    "restored": ("packets_restored",),
    "switches": ("layer_switches",),
    "kept_octets": ("kept_bytes",),
    "transports": ("transports",),
    "receivers": ("receivers",),
    "routes": ("routes",),
    "taps": ("taps",),
    "link_batches_dropped": ("link_batches_dropped",),
}
_CHILD: dict[str, tuple[str, ...]] = {
    "recordings": ("recordings",),
    "recorder_bytes": ("recorder_bytes",),
    "recorder_waiting_bytes": ("recorder_waiting_bytes",),
    "recorder_gaps": ("recorder_gaps",),
    "recorder_lag_seconds": ("recorder_lag_seconds",),
    "recorder_free_bytes": ("recorder_free_bytes",),
    "recorder_disk_bytes": ("recorder_disk_bytes",),
    "recorder_disk_step": ("recorder_disk_step",),
    "upload_bytes": ("upload_bytes",),
    "upload_waiting_files": ("upload_waiting_files",),
    "upload_waiting_bytes": ("upload_waiting_bytes",),
    "upload_failing_seconds": ("upload_failing_seconds",),
    "loop_lag_seconds": ("loop_lag_seconds",),
    "link_batches_dropped": ("link_batches_dropped",),
    "transcodes": ("transcodes",),
    "transcode_deaths": ("transcode_deaths",),
    # GB/T 28181
    "gb28181_admitted": ("devices", "admitted"),
    "gb28181_registered": ("devices", "registered"),
    "gb28181_online": ("devices", "online"),
    "gb28181_questions": ("device_questions",),
    "gb28181_subscriptions": ("device_subscriptions",),
    "gb28181 registrations": ("device_registrations", "accepted"),
    "gb28181 challenges": ("device_registrations", "challenged"),
    "gb28181 stale nonces": ("device_registrations", "stale"),
    "gb28181 wrong passwords": ("device_registrations", "wrong_password"),
    "gb28181 registrations slowed": ("device_registrations", "slowed"),
    "gb28181 strangers": ("device_registrations", "unknown"),
    "gb28181 restarts": ("device_restarts",),
    "gb28181 notify keepalive": ("device_messages", "keepalive"),
    "gb28181 catalogue pages": ("device_messages", "catalogue"),
    "gb28181 notify catalog": ("device_messages", "catalogue_change"),
    "gb28181 notify alarm": ("device_messages", "alarm"),
    "gb28181 notify mobileposition": ("device_messages", "position"),
    "gb28181 unreadable documents": ("device_messages", "unreadable"),
    "gb28181 messages refused": ("device_messages", "refused"),
    "gb28181 catalogues complete": ("device_catalogues", "complete"),
    "gb28181 catalogues incomplete": ("device_catalogues", "incomplete"),
    "gb28181 moves": ("device_moves",),
    "sip messages": ("sip_messages",),
    "sip limited": ("sip_dropped", "limited"),
    "sip malformed": ("sip_dropped", "malformed"),
    "sip errors": ("sip_dropped", "error"),
    "sip undeliverable": ("sip_dropped", "undeliverable"),
    "sip connections refused": ("sip_dropped", "connection_refused"),
    "sip connections closed": ("sip_dropped", "connection_closed"),
}


def build(scrape: Scrape) -> None:
    scrape.add("build_info", 1, commhub.__version__, platform.python_version())


def rooms(live: Rooms) -> Source:
    def ask(scrape: Scrape) -> None:
        scrape.add("rooms", len(live.rooms))
        people: Counter[str] = Counter()
        tracks: Counter[tuple[str, str]] = Counter()
        for room in live.rooms.values():
            for person in room.people.values():
                people[person.presence().kind] += 1
                for track in person.tracks.values():
                    if track.bound:
                        tracks[track.kind, SOURCE_NAMES.get(track.info.source, "unknown")] += 1
        for kind in ("person", "camera", "service"):
            scrape.add("participants", people[kind], kind)
        for (kind, source), number in tracks.items():
            scrape.add("tracks", number, kind, source)

    return ask


def devices(part: Devices) -> Source:
    def ask(scrape: Scrape) -> None:
        scrape.add("device_facts_waiting", part.waiting)
        scrape.add("alarms_dropped", part.alarms.dropped)

    return ask


def workers(media: Workers) -> Source:
    def ask(scrape: Scrape) -> None:
        for name, load in media.loads().items():
            scrape.add("up", int(load.linked), name)
            scrape.add("worker_rooms", load.rooms, name)
            scrape.add("worker_participants", load.peers, name)
            scrape.add("worker_overload", int(load.level), name)
            scrape.add("worker_draining", int(load.draining), name)
            scrape.add("loop_lag_seconds", load.lag, name)
            scrape.add("kernel_wait_seconds", load.waited, name)
        for name, counters in media.counters().items():
            _add(scrape, _WORKER, name, counters)

    return ask


def children(links: list[ChildLink]) -> Source:
    def ask(scrape: Scrape) -> None:
        for link in links:
            scrape.add("up", int(link.up), link.name)
            if link.up:
                _add(scrape, _CHILD, link.name, link.counters)

    return ask


def _add(scrape: Scrape, table: dict[str, tuple[str, ...]], process: str, counters: dict[str, float]) -> None:
    for name, (metric, *labels) in table.items():
        if name in counters:
            scrape.add(metric, counters[name], process, *labels)


def cameras(feeds: Feeds) -> Source:
    def ask(scrape: Scrape) -> None:
        for state, number in feeds.counts().items():
            scrape.add("cameras", number, state)

    return ask


def webhooks(hooks: Webhooks) -> Source:
    def ask(scrape: Scrape) -> None:
        down, names = hooks.down(), hooks.names()
        for receiver, counts in hooks.counts().items():
            name = names[receiver]
            scrape.add("webhooks_waiting", counts.waiting, name)
            scrape.add("webhooks_delivered", counts.delivered, name)
            scrape.add("webhooks_failures", counts.failures, name)
            scrape.add("webhooks_dead", counts.dead, name)
            scrape.add("webhook_receiver_up", int(not down[receiver]), name)
        scrape.add("webhooks_lost", hooks.lost)

    return ask


def http(malformed: Callable[[], int], refused: Callable[[], dict[str, int]]) -> Source:
    def ask(scrape: Scrape) -> None:
        scrape.add("signalling_malformed", malformed())
        for reason, number in refused().items():
            scrape.add("http_refused", number, reason)

    return ask


def lag(worst: Callable[[], float]) -> Source:
    return lambda scrape: scrape.add("loop_lag_seconds", worst(), "hub")
