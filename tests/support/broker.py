"""A real Apache Kafka broker for tests: one that is given, or one started from the published jars."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from tests.support.ports import free_ports
from tests.support.processes import ROOT, is_alive
from tests.support.waiting import wait_for

KAFKA_SH = ROOT / "deploy" / "kafka" / "kafka.sh"
LIBS = ROOT / "deploy" / "kafka" / "libs"


def missing() -> str | None:
    """Why no broker can be started here, or None."""
    if shutil.which("java") is None:
        return "no `java` (17) on the path"
    if not LIBS.is_dir():
        return f"no Kafka jars: run `{KAFKA_SH.relative_to(ROOT)} fetch`"
    return None


class Broker:
    """Where Kafka listens; a broker of ours can also be killed, stopped and started again."""

    def __init__(self, bootstrap_servers: str, folder: Path | None = None) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.folder = folder

    @classmethod
    def start_new(cls, parent: Path | None = None) -> "Broker":
        """Its data below that folder, else where temporary folders are."""
        folder = Path(tempfile.mkdtemp(prefix="graftwork-kafka-", dir=parent))
        port, controller_port = free_ports(2)
        _kafka_sh("format", folder, str(port), str(controller_port), "--test-timings")
        broker = cls(f"127.0.0.1:{port}", folder)
        try:
            broker.restart()
        except AssertionError:  # it may still come, and nobody would end it
            broker.remove()
            raise
        return broker

    @property
    def is_ours(self) -> bool:
        return self.folder is not None

    def restart(self) -> None:
        """Returns once it serves."""
        _kafka_sh("start", self._own(), "--background")

    def kill(self) -> None:
        """SIGKILL, as a power cut does it; `restart` brings it back with its data."""
        pid = self._pid()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(pid), "the killed broker's process ends")

    def revive(self) -> None:
        """Whatever a test did to it, it serves again."""
        if is_alive(self._pid()):
            self.resume()
        else:
            self.restart()

    def pause(self) -> None:
        os.kill(self._pid(), signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self._pid(), signal.SIGCONT)

    def remove(self) -> None:
        """Kill it and delete its data."""
        if self.folder is not None:
            with suppress(FileNotFoundError):  # its folder was emptied while it was down
                if is_alive(self._pid()):
                    self.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    def empty(self) -> None:
        """Delete every topic and consumer group of ours, so that a test begins with none."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers, reconnect_backoff_max_ms=1000)
        try:
            topics = [name for name in admin.list_topics() if name.startswith("graftwork.")]
            if topics:
                admin.delete_topics(topics)
            wait_for(lambda: _has_no_topic_of_ours(admin), "topics are deleted")
            groups = [group["group_id"] for group in admin.list_groups()]
            if groups:
                admin.delete_groups(groups)
        finally:
            admin.close()

    def create_topic(self, name: str, partitions: int = 1) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers, reconnect_backoff_max_ms=1000)
        try:
            admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])
        finally:
            admin.close()

    def _own(self) -> Path:
        assert self.folder is not None, "a broker that was given by GRAFTWORK_TEST_KAFKA cannot be killed by a test"
        return self.folder

    def _pid(self) -> int:
        return int((self._own() / "pid").read_text())


def _has_no_topic_of_ours(admin: KafkaAdminClient) -> bool:
    try:
        return not any(name.startswith("graftwork.") for name in admin.list_topics())
    except KafkaError:
        return False


def _kafka_sh(*arguments: object) -> None:
    done = subprocess.run(
        [str(KAFKA_SH), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{KAFKA_SH.name} {arguments[0]}: {done.stderr[-3000:]}"
