"""A node that speaks TLS both ways with dcmtk, and whose certificates are renewed while it runs."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dicomnode.series import State
from segmentation.phantom_series import write_series
from tests.support.authority import Authority, Issued, openssl
from tests.support.node import LOOPBACK, Node, free_port, make_node, running, wait_until
from tests.support.peers_of_others import Storescp, need, storescp
from tests.support.tiny import marked_series

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.xdist_group("tls")]

TPS_NAME = "tps.hospital.example"


@dataclass(frozen=True)
class World:
    """A node that speaks nothing but TLS, with storescp as its TPS."""

    node: Node
    storescp: Storescp
    authority: Authority
    tps: Issued

    def dcmtk(self, program: str, *arguments: object, by: Issued | None = None, title: str = "TPS") -> int:
        """Run a program of dcmtk that calls the node over TLS; return its exit code."""
        issued = by or self.tps
        secure = ("+tls", issued.key, issued.certificate, "+cf", self.authority.certificate)
        called = ("-aet", title, "-aec", self.node.own.ae_title, LOOPBACK, self.node.port)
        command = [program, *map(str, (*secure, *called, *arguments))]
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode

    def renew(self, issued: Issued) -> None:
        """Put other files in the place of the node's, as an operator does who rotates them."""
        for name, path in zip(("node.pem", "node.key", "ca.pem"), issued.files.all.values(), strict=True):
            part = self.node.folder / f"{name}.part"
            shutil.copy(path, part)
            part.rename(self.node.folder / name)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, bundle_dir: Path) -> Iterator[World]:
    need("storescu", "echoscu", "storescp")
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.make(folder / "authority")
    tps = authority.issue("tps", f"DNS:{TPS_NAME}")
    secure = ("+tls", str(tps.key), str(tps.certificate), "+cf", str(authority.certificate))
    with storescp(folder / "tps", "TPS", *secure) as scp:
        port, at = free_port(), folder / "node"
        tls = {
            "certificate_file": str(at / "node.pem"),
            "key_file": "node.key",
            "ca_file": str(at / "ca.pem"),
            "port": port,
            "only": True,
            "alarm_days": 30,
        }
        peer = replace(scp.peer, tls=True, certificates=(TPS_NAME,))
        node = make_node(
            at,
            peer,
            bundle_dir=bundle_dir,
            more={"tls": tls, "metrics": {"textfile": str(at / "node.prom"), "every_s": 0.5}},
        )
        node.port = port
        made = World(node, scp, authority, tps)
        made.renew(authority.issue("node", "DNS:node.hospital.example"))
        with running(node, environment={"CREDENTIALS_DIRECTORY": str(at)}):
            yield made


def test_a_ct_comes_back_contoured_over_tls(world: World, tmp_path: Path) -> None:
    """Storescu sends it, storescp gets the structure set, and neither would do it without a certificate."""
    series = marked_series(1, slices=20)
    write_series(series, tmp_path / "ct")

    code = world.dcmtk("storescu", "+sd", tmp_path / "ct")

    uid = str(series[0].SeriesInstanceUID)
    assert code == 0
    assert world.node.wait_for_end(uid)[uid] is State.SENT
    assert len(world.storescp.files()) == 1


@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"])
def test_each_of_dcmtks_profiles_of_bcp_195_is_answered(world: World, profile: str) -> None:
    """Non-downgrading, plain and extended."""
    assert world.dcmtk("echoscu", profile) == 0


def test_dcmtk_with_another_certificate_is_no_tps(world: World) -> None:
    """Although the authority vouches for it."""
    assert world.dcmtk("echoscu", by=world.authority.issue("other", "DNS:other.hospital.example")) != 0


def served(world: World) -> str:
    """Return the fingerprint of the certificate that the node shows."""
    files = ("-CAfile", world.authority.certificate, "-cert", world.tps.certificate, "-key", world.tps.key)
    address = f"{LOOPBACK}:{world.node.port}"
    command = ["openssl", "s_client", "-connect", address, *map(str, files)]
    shown = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=60).stdout
    copy = world.node.folder / "shown.pem"
    copy.write_bytes(shown)
    return openssl("x509", "-in", copy, "-noout", "-fingerprint", "-sha256").partition("=")[2].strip()


def test_renewed_certificates_are_served_and_broken_ones_are_an_alarm(world: World) -> None:
    """Without a restart, while somebody is silent on the port; and one that ends soon is an alarm too."""
    with socket.create_connection((LOOPBACK, world.node.port)):
        soon = world.authority.issue("soon", "DNS:node.hospital.example", days=20)
        world.renew(soon)
        wait_until(lambda: served(world) == soon.fingerprint, 30, lambda: world.node.log[-2000:])
        assert world.dcmtk("echoscu") == 0

    world.renew(replace(soon, key=world.tps.key))
    wait_until(lambda: len(alarms(world)) == 2, 30, lambda: f"{alarms(world)}")

    assert "the node's certificate ends on" in alarms(world)[0]
    assert "the old ones stay: tls: " in alarms(world)[1]
    assert (served(world), world.dcmtk("echoscu")) == (soon.fingerprint, 0)
    world.renew(soon)


def test_the_metrics_say_how_long_the_certificates_last(world: World) -> None:
    """In days: of the node's own one, and of its authority."""
    lines = (world.node.folder / "node.prom").read_text().splitlines()

    days = dict(
        line.removeprefix("dicomnode_certificate_days").split() for line in lines if "certificate_days{" in line
    )
    assert 10 < float(days['{certificate="own"}']) < 91
    assert 3640 < float(days['{certificate="authority"}']) <= 3650


def test_a_signal_loads_them_too_and_ends_nothing(world: World) -> None:
    """SIGHUP, as `systemctl reload` sends it."""
    told = world.node.log.count("loaded anew")

    world.node.process.send_signal(signal.SIGHUP)

    wait_until(lambda: world.node.log.count("loaded anew") > told, 10, lambda: world.node.log[-2000:])
    assert world.dcmtk("echoscu") == 0


def alarms(world: World) -> list[str]:
    """Return the texts of the open alarms about certificates."""
    return [
        event["text"] for event in world.node.events if event["event"] == "alarm" and event["kind"] == "certificate"
    ]


def test_the_operators_echo_speaks_tls_where_it_has_the_key(world: World) -> None:
    """Without the credential it says what it lacks."""
    world.renew(world.authority.issue("again", "DNS:node.hospital.example"))

    without = world.node.run("echo", "TPS")

    assert without.returncode != 0
    assert "there is no CREDENTIALS_DIRECTORY" in without.stdout + without.stderr
