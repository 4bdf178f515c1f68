"""Two processes with a wire between them: the near end measures, the far end answers.

``python loop_ends.py near|far WIRE LABEL`` is one end. The near end reads one measurement per line from its standard
input and writes its samples as a line of JSON; both end when their input closes.
"""

from __future__ import annotations

import enum
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from loop_statistics import CpuMeter
from loop_wires import Kind, Wire, WireName, open_wire

NS_PER_S = 1_000_000_000
MEET_TIMEOUT_S = 60.0
MEET_PERIOD_S = 0.1
ANSWER_TIMEOUT_S = 10.0
FLOOD_TIMEOUT_S = 120.0
WARM_UP_TRIPS = 50


class Measurement(enum.StrEnum):
    """ROUND_TRIP: a JointState there and back. IMAGE: one way, 640x480x3. FLOOD: as many JointStates as go through.

    OWN_JOINTS, OWN_IMAGE: from publish to callback within one process.
    """

    ROUND_TRIP = "round_trip"
    IMAGE = "image"
    FLOOD = "flood"
    OWN_JOINTS = "own_joints"
    OWN_IMAGE = "own_image"


@dataclass(frozen=True, slots=True)
class Samples:
    """delivery_s: until the callback had its message (ROUND_TRIP: back again). publish_s: the call of publish alone.

    messages_per_s: of FLOOD. near_cpu_s, far_cpu_s: of the two processes.
    """

    delivery_s: list[float] = field(default_factory=list)
    publish_s: list[float] = field(default_factory=list)
    messages_per_s: float = 0.0
    near_cpu_s: float = 0.0
    far_cpu_s: float = 0.0


class WireError(RuntimeError):
    """The two ends do not find each other, or a message was lost. The message names the wire."""


class WirePair:
    """Both ends as child processes. environment: in addition to this process's."""

    def __init__(self, name: WireName, label: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self._far = _start("far", name, label, environment)
        self._near = _start("near", name, label, environment)

    def meet(self) -> None:
        """Waits until both ends have started and know each other. Raises WireError."""
        self._read()

    def measure(self, measurement: Measurement, count: int) -> Samples:
        """Raises WireError."""
        meter = CpuMeter({"near": self._near.pid, "far": self._far.pid})
        answer = self._ask(f"{measurement} {count}")
        cpu_s = meter.seconds()
        return Samples(**{**json.loads(answer), "near_cpu_s": cpu_s["near"], "far_cpu_s": cpu_s["far"]})

    def close(self) -> None:
        for process in (self._near, self._far):
            assert process.stdin is not None
            process.stdin.close()
            process.wait()

    def _ask(self, line: str) -> str:
        assert self._near.stdin is not None
        self._near.stdin.write(f"{line}\n")
        self._near.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._near.stdout is not None
        answer = self._near.stdout.readline()
        if not answer:
            raise WireError(f"the near end of '{self.name}' has ended: see its message above")
        return answer


def _start(end: str, name: WireName, label: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(Path(__file__)), end, name, label],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class FarEnd:
    """Echoes joint states, answers an image with the time at which it was there, counts a flood."""

    def __init__(self, wire: Wire) -> None:
        self._codec = wire.codec
        self._echo = wire.publisher("joints_back", Kind.JOINTS)
        self._tell = wire.publisher("time_back", Kind.TIME)
        self._wanted = self._seen = self._first_ns = 0
        wire.subscribe("joints", Kind.JOINTS, self._echo)
        wire.subscribe("image", Kind.IMAGE, lambda _: self._answer(time.time_ns()))
        wire.subscribe("expect", Kind.TIME, self._expect)
        wire.subscribe("flood", Kind.JOINTS, lambda _: self._count(), every=True)

    def _answer(self, value: int) -> None:
        self._tell(self._codec.message(Kind.TIME, value))

    def _expect(self, message: object) -> None:
        self._wanted, self._seen = self._codec.value(message), 0
        self._answer(self._wanted)

    def _count(self) -> None:
        if self._seen == 0:
            self._first_ns = time.perf_counter_ns()
        self._seen += 1
        if self._seen == self._wanted:
            self._answer(time.perf_counter_ns() - self._first_ns)


class NearEnd:
    """Measures, one message at a time but for the flood."""

    def __init__(self, wire: Wire) -> None:
        self._codec = wire.codec
        self._arrived = threading.Event()
        self._arrival_ns = self._answered = 0
        self._joints, self._image = self._codec.message(Kind.JOINTS), self._codec.message(Kind.IMAGE)
        self._send_joints = wire.publisher("joints", Kind.JOINTS)
        self._send_image = wire.publisher("image", Kind.IMAGE)
        self._expect = wire.publisher("expect", Kind.TIME)
        self._flood = wire.publisher("flood", Kind.JOINTS, every=True)
        self._own = {kind: wire.publisher(f"own_{kind.value}", kind) for kind in (Kind.JOINTS, Kind.IMAGE)}
        for name in ("joints_back", "own_joints"):
            wire.subscribe(name, Kind.JOINTS, self._on_arrival)
        wire.subscribe("own_image", Kind.IMAGE, self._on_arrival)
        wire.subscribe("time_back", Kind.TIME, self._on_answer)

    def meet(self) -> None:
        """Waits for the far end, then lets caches and routes settle."""
        deadline = time.monotonic() + MEET_TIMEOUT_S
        while not self._is_expected(0, MEET_PERIOD_S):
            if time.monotonic() > deadline:
                raise WireError(f"the far end did not answer within {MEET_TIMEOUT_S:.0f} s")
        for measurement in (Measurement.ROUND_TRIP, Measurement.IMAGE, Measurement.OWN_JOINTS, Measurement.OWN_IMAGE):
            self.measure(measurement, WARM_UP_TRIPS)

    def measure(self, measurement: Measurement, count: int) -> Samples:
        if measurement is Measurement.FLOOD:
            return self._measure_flood(count)
        samples = Samples()
        for _ in range(count):
            self._trip(measurement, samples)
        return samples

    def _trip(self, measurement: Measurement, samples: Samples) -> None:
        is_image = measurement in (Measurement.IMAGE, Measurement.OWN_IMAGE)
        message = self._image if is_image else self._joints
        send = self._send_joints
        if measurement is Measurement.IMAGE:
            send = self._send_image
        elif measurement is not Measurement.ROUND_TRIP:
            send = self._own[Kind.IMAGE if is_image else Kind.JOINTS]
        self._arrived.clear()
        begin_ns = time.time_ns()
        send(message)
        sent_ns = time.time_ns()
        if not self._arrived.wait(ANSWER_TIMEOUT_S):
            raise WireError(f"{measurement}: no answer within {ANSWER_TIMEOUT_S:.0f} s")
        arrival_ns = self._answered if measurement is Measurement.IMAGE else self._arrival_ns
        samples.delivery_s.append((arrival_ns - begin_ns) / NS_PER_S)
        samples.publish_s.append((sent_ns - begin_ns) / NS_PER_S)

    def _measure_flood(self, count: int) -> Samples:
        if not self._is_expected(count, ANSWER_TIMEOUT_S):
            raise WireError("the far end is silent")
        self._arrived.clear()
        for _ in range(count):
            self._flood(self._joints)
        if not self._arrived.wait(FLOOD_TIMEOUT_S):
            raise WireError(f"{count} messages were sent, but not all arrived within {FLOOD_TIMEOUT_S:.0f} s")
        return Samples(messages_per_s=(count - 1) * NS_PER_S / self._answered)

    def _is_expected(self, count: int, timeout_s: float) -> bool:
        self._arrived.clear()
        self._expect(self._codec.message(Kind.TIME, count))
        return self._arrived.wait(timeout_s)

    def _on_arrival(self, _message: object) -> None:
        self._arrival_ns = time.time_ns()
        self._arrived.set()

    def _on_answer(self, message: object) -> None:
        self._answered = self._codec.value(message)
        self._arrived.set()


def main() -> None:
    end, name, label = sys.argv[1:]
    wire = open_wire(WireName(name), label, end)
    if end == "far":
        far_end = FarEnd(wire)
        sys.stdin.read()
        del far_end
    else:
        near_end = NearEnd(wire)
        near_end.meet()
        _say("met")
        for line in sys.stdin:
            measurement, count = line.split()
            samples = near_end.measure(Measurement(measurement), int(count))
            _say(json.dumps(asdict(samples)))
    wire.close()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
