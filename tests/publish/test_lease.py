"""The lease: whose it is, how long it is believed, whatever clocks say, and that two exports never both hold it."""

import datetime
import os
import subprocess
from dataclasses import dataclass, field

import pytest

from exporter.errors import ConflictError, StoreError
from exporter.publish.lease import LEASE, PENDING, Lease, check_lease, moment, now, process_name, this_process
from exporter.publish.manifest import Pending, decode_pending
from exporter.publish.publisher import Publisher
from exporter.publish.store import ABSENT
from tests.support.memory_store import MemoryStore

NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
HREFS = ("manifests/1-0123456789ab.json", "manifests/catalog-0123456789ab.json")


@dataclass
class Clock:
    """A clock that tests move."""

    now: datetime.datetime = NOON

    def __call__(self) -> datetime.datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += datetime.timedelta(seconds=seconds)


@dataclass
class Scene:
    """Two exports of one store, each with a clock of its own."""

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: Clock = field(default_factory=Clock)
    theirs: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.ours = Lease(self.store, "here.1.1", self.clock)
        self.other = Lease(self.store, "there.2.2", self.theirs)

    def pending(self) -> Pending:
        return decode_pending(self.store.objects[PENDING].data)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_lease_names_its_owner_its_end_and_its_manifests(scene: Scene) -> None:
    scene.other.take(HREFS, ABSENT)
    assert scene.pending() == Pending("there.2.2", "2026-01-02T12:10:00Z", HREFS)
    assert datetime.timedelta(minutes=10) == LEASE
    scene.other.name(HREFS[:1])
    assert scene.pending().manifests == HREFS[:1]
    scene.other.end()
    assert PENDING not in scene.store.objects


@pytest.mark.parametrize(("seconds", "alive"), [(0, True), (599, True), (600, False), (10_000, False)])
def test_a_lease_is_alive_until_it_expires(scene: Scene, seconds: int, alive: bool) -> None:
    scene.other.take(HREFS, ABSENT)
    assert scene.ours.alive(scene.pending())
    scene.clock.now += seconds * SECOND
    assert scene.ours.alive(scene.pending()) is alive


def test_ones_own_lease_binds_nobody(scene: Scene) -> None:
    living = Lease(scene.store, this_process(), scene.clock)
    living.take(HREFS, ABSENT)
    assert not living.alive(scene.pending())
    assert scene.ours.alive(scene.pending())


def test_a_dead_process_of_this_machine_holds_no_lease() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        machine = this_process().partition(".")[0]
        name = f"{machine}.{process_name(str(process.pid))}"
        lease = Lease(MemoryStore(), this_process(), Clock())
        until = moment(NOON + LEASE)
        assert lease.alive(Pending(name, until, ()))
        assert not lease.alive(Pending(f"{machine}.{process.pid}.1", until, ())), "the number is used again"
        assert lease.alive(Pending(f"elsewhere.{process.pid}.1", until, ()))
        process.kill()
        process.wait()
        assert not lease.alive(Pending(name, until, ()))
    assert this_process() == this_process() and os.uname().nodename not in this_process()
    assert process_name("x") == "x." and process_name("999999999") == "999999999."


@pytest.mark.parametrize("ahead", [datetime.timedelta(minutes=5), datetime.timedelta(days=3650)])
def test_a_lease_of_a_clock_that_is_ahead_is_believed_for_a_leases_length(
    scene: Scene, ahead: datetime.timedelta
) -> None:
    """Its export died; it never changes again."""
    scene.theirs.now += ahead
    scene.other.take(HREFS, ABSENT)
    assert scene.ours.alive(scene.pending())
    scene.clock.now += LEASE - SECOND
    assert scene.ours.alive(scene.pending())
    scene.clock.now += SECOND
    assert not scene.ours.alive(scene.pending())


def test_an_export_whose_clock_is_ahead_is_alive_as_long_as_it_renews(scene: Scene) -> None:
    scene.theirs.now += datetime.timedelta(days=3650)
    scene.other.take(HREFS, ABSENT)
    for _ in range(100):
        assert scene.ours.alive(scene.pending())
        for clock in (scene.clock, scene.theirs):
            clock.now += LEASE / 3 + SECOND
        scene.other.keep()
    scene.clock.now += 2 * LEASE
    assert scene.ours.alive(scene.pending()), "seen for the first time now"


@pytest.mark.parametrize(
    ("minutes", "plausible"), [(-10_000, True), (10, True), (20, True), (21, False), (10**6, False)]
)
def test_a_lease_that_no_clock_of_today_writes_is_not_plausible(scene: Scene, minutes: int, plausible: bool) -> None:
    until = moment(NOON + datetime.timedelta(minutes=minutes))
    assert scene.ours.plausible(Pending("there.2.2", until, ())) is plausible


@pytest.mark.parametrize(("seconds", "renewed"), [(0, False), (199, False), (200, False), (201, True), (599, True)])
def test_a_lease_is_renewed_when_a_third_has_passed(scene: Scene, seconds: int, renewed: bool) -> None:
    scene.ours.take(HREFS, ABSENT)
    scene.clock.now += seconds * SECOND
    scene.ours.keep()
    assert scene.pending() == Pending("here.1.1", moment(NOON + renewed * seconds * SECOND + LEASE), HREFS)
    scene.ours.keep()
    assert len(scene.store.effects) == 1 + renewed


def test_only_one_export_takes_the_lease(scene: Scene) -> None:
    scene.ours.take(HREFS, ABSENT)
    with pytest.raises(ConflictError):
        scene.other.take(HREFS, ABSENT)
    check_lease(scene.store, "here.1.1")


def test_an_export_that_lost_its_lease_cannot_renew_end_or_abandon_it(scene: Scene) -> None:
    scene.ours.take(HREFS, ABSENT)
    scene.other.take((), scene.store.objects[PENDING].version)
    scene.clock.now += LEASE
    for call in (scene.ours.keep, lambda: scene.ours.name(()), scene.ours.abandon):
        with pytest.raises(ConflictError):
            call()
    with pytest.raises(ConflictError, match="another export took over because this one was silent too long"):
        check_lease(scene.store, "here.1.1")
    scene.ours.end()
    check_lease(scene.store, "there.2.2")
    scene.other.end()
    with pytest.raises(ConflictError):
        check_lease(scene.store, "there.2.2")


def test_an_abandoned_lease_has_expired_and_still_names_its_manifests(scene: Scene) -> None:
    scene.other.take(HREFS, ABSENT)
    scene.other.abandon()
    assert scene.pending() == Pending("there.2.2", moment(NOON), HREFS)
    assert not scene.ours.alive(scene.pending())


def test_the_time_has_no_fractions_and_is_utc() -> None:
    assert now().microsecond == 0 and now().utcoffset() == datetime.timedelta(0)
    assert moment(NOON) == "2026-01-02T12:00:00Z"


FUTURE = Pending("there.2.2", "2036-01-01T00:00:00Z", ())


def _alone(scene: Scene) -> None:
    publisher = Publisher(scene.store, clock=scene.clock, sleep=scene.clock.sleep, owner="here.1.1")
    with publisher.alone():
        assert scene.pending().owner == "here.1.1"


def test_cleaning_up_waits_for_a_lease_of_the_far_future_and_goes_on(scene: Scene) -> None:
    scene.store.write([(PENDING, FUTURE.encode())])
    _alone(scene)
    assert LEASE <= scene.clock.now - NOON <= LEASE + 2 * SECOND


def test_cleaning_up_is_refused_while_an_export_publishes(scene: Scene) -> None:
    scene.other.take(HREFS, ABSENT)
    with pytest.raises(StoreError, match="an export is publishing"):
        _alone(scene)
    assert scene.clock.now == NOON, "at once"


def test_cleaning_up_is_refused_if_the_lease_of_the_far_future_is_renewed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.store.write([(PENDING, FUTURE.encode())])

    def sleep(_: Clock, seconds: float) -> None:
        """Time passes; the other export renews its lease once, and ends it later."""
        scene.clock.now += seconds * SECOND
        passed = (scene.clock.now - NOON) / SECOND
        if passed == 300:
            scene.store.write([(PENDING, Pending("there.2.2", "2036-01-01T00:05:00Z", ()).encode())])
        if passed == 700:
            scene.store.delete([PENDING])

    monkeypatch.setattr(Clock, "sleep", sleep)
    with pytest.raises(StoreError, match="an export is publishing"):
        _alone(scene)
