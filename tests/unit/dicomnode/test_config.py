"""One file, read once; every fault in one message."""

from pathlib import Path

import pytest

from dicomnode.config import Configuration, load_configuration
from dicomnode.errors import ConfigurationError

GOOD = """
[node]
ae_title = "CONTOUR"
[[peers]]
ae_title = "TPS"
host = "10.0.0.7"
port = 104
addresses = ["10.0.0.0/24", "fd00::7"]
may = ["send_ct", "receive_results"]
[[rules]]
name = "head and neck"
action = "contour"
attributes = { BodyPartExamined = "HEAD", "0019,1010" = "x" }
send_to = ["TPS"]
"""


TLS = '[tls]\ncertificate_file = "/c"\nkey_file = "/k"\nca_file = "/a"\n'
A_PEER = '[[peers]]\nae_title = "A"\nhost = "h"\nport = 1\n'


def faults_of(tmp_path: Path, text: str) -> tuple[str, ...]:
    """Return what is wrong with a configuration of this text."""
    path = tmp_path / "node.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    return caught.value.faults


def test_what_the_file_says_is_read(tmp_path: Path) -> None:
    """Sections, peers and rules are values; the rest keeps its default."""
    path = tmp_path / "node.toml"
    path.write_text(GOOD, encoding="utf-8")

    configuration = load_configuration(path)

    assert configuration.node.ae_title == "CONTOUR"
    assert configuration.peers[0].addresses == ("10.0.0.0/24", "fd00::7")
    assert configuration.rules[0].send_to == ("TPS",)
    assert configuration.receiving.quiet_s == 15.0


def test_the_embedded_defaults_listen_on_loopback_only(tmp_path: Path) -> None:
    """Without a file nobody from outside can reach the node."""
    configuration = Configuration.default(tmp_path)

    assert configuration.node.host == "127.0.0.1"
    assert configuration.node.data_dir == tmp_path
    assert configuration.peers[0].may == ("send_ct", "send_approvals", "receive_results")


def test_all_faults_come_in_one_message(tmp_path: Path) -> None:
    """Values, unknown keys and what does not fit together are told at once."""
    faults = faults_of(
        tmp_path,
        """
        [node]
        prot = 104
        [receiving]
        quiet_s = -1
        [[peers]]
        ae_title = "TPS"
        host = "tps"
        port = 104
        [[rules]]
        name = "a"
        action = "contour"
        attributes = { NoSuchKeyword = "x" }
        """,
    )

    assert len(faults) == 3
    assert faults[0] == "node.prot: is no key of this configuration"
    assert faults[1].startswith("receiving.quiet_s: must be greater than 0")
    assert faults[2].startswith("rules, a: NoSuchKeyword is neither a keyword")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[node]\nae_title = "MUCH TOO LONG A TITLE"', "node.ae_title: an AE title has at most 16 characters"),
        ('[node]\nae_title = " "', "must not be empty"),
        ("[node]\nport = 70000", "node.port: must be less than or equal to 65535"),
        ('[[peers]]\nae_title = "A"\nhost = "h"', "peers[1].port: is missing"),
        ('[[peers]]\nae_title = "A"\nhost = "h"\nport = 0', "port must be from 1 to 65535"),
        ('[[peers]]\nae_title = "A"\nhost = "h"\nport = 1\nmay = ["all"]', "peers[1].may[1]: must be 'send_ct'"),
        ('[[peers]]\nae_title = "A"\nhost = "h"\nport = 1\naddresses = ["10.0.0.300"]', "is no IP address or network"),
        ('[[peers]]\nae_title = "A"\nhost = "h"\nport = 1\nprofile = "tps"', "profile must be one of clinical, exact"),
        ('[[peers]]\nae_title = "A"\nhost = "h"\nport = 1\n' * 2, "peers: A is there more than once"),
        ('[[rules]]\nname = "r"\naction = "learn"\nattributes = { Modality = "(" }', "is no regular expression"),
        ('[[rules]]\nname = "r"\naction = "delete"', "rules[1].action: must be 'contour', 'learn' or 'ignore'"),
        ('[[rules]]\nname = "r"\naction = "contour"\nsend_to = ["X"]', "send_to names X, which is no peer"),
        (
            '[[peers]]\nae_title="X"\nhost="h"\nport=1\n[[rules]]\nname="r"\naction="contour"\nsend_to=["X"]',
            "send_to names X, which may not receive_results",
        ),
        ('[[rules]]\nname = "r"\naction = "contour"\nbundle = "nowhere"', "bundle nowhere is not shipped"),
        ('[[rules]]\nname = "r"\naction = "contour"\nbundle = "../x"', "is no name of a bundle"),
        ('[contouring]\nbundle_dirs = ["/no/such/folder"]', "/no/such/folder is no folder"),
        ('[alarms]\nemail_host = "mail"', "email_host and email_to belong together"),
        ('[alarms]\nwebhook_url = "ftp://x"', "alarms.webhook_url"),
        ("[delivering]\nfirst_retry_s = 1000.0", "must not be longer than longest_retry_s"),
        ('[tls]\ncertificate_file = "/c"', "certificate_file, key_file and ca_file belong together"),
        ("[tls]\nonly = true", "there is no certificate_file, so that nobody could call"),
        (TLS + "port = 11112", "tls.port: must not be node.port"),
        (TLS + "only = true\n" + A_PEER, "peers, A: tls.only leaves no port that it may call"),
        (A_PEER + "tls = true", "peers, A: tls and certificates need a certificate_file"),
        (A_PEER + 'certificates = ["tps"]', "peers, A: tls and certificates need a certificate_file"),
        (TLS + A_PEER + 'certificates = ["*.x"]', "certificates: '*.x' is neither a SHA-256 fingerprint nor"),
        ('[tls]\nport = "x"\n' + A_PEER + "tls = true", "tls.port: must be"),
        ("[node\n", "is no valid TOML"),
    ],
)
def test_each_fault_names_its_key(tmp_path: Path, text: str, said: str) -> None:
    """A fault is a sentence in which the operator finds the key."""
    faults = faults_of(tmp_path, text)

    assert len(faults) == 1
    assert said in faults[0]


@pytest.mark.parametrize("more", ["tls = true", 'certificates = ["tps.hospital.example"]'])
def test_a_node_may_speak_nothing_but_tls(tmp_path: Path, more: str) -> None:
    """Then its one port may be any, if each peer proves itself."""
    path = tmp_path / "node.toml"
    path.write_text(f"{TLS}only = true\nport = 11112\n{A_PEER}{more}", encoding="utf-8")

    assert load_configuration(path).tls.only


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    """A missing file is told like any other fault."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_configuration(tmp_path / "none.toml")
