"""What a peer may make the receiver hold or wait for (pure)."""

from dataclasses import dataclass

SLOWEST = 65536  # bytes a second, below which a message that goes on and on is cut: half a megabit, a poor line


@dataclass(frozen=True)
class Limits:
    """The bounds of one receiver; a peer that breaks one is cut, and nobody else notices.

    Args:
        pdu_length: bytes of a P-DATA-TF PDU after its header; announced to the peer (PS3.8 D.1.1).
        request_length: bytes of an A-ASSOCIATE-RQ; one with 128 presentation contexts has some 20 000.
        command_length: bytes of a command set; that of a C-STORE request has some 200.
        message_length: bytes of a data set; a longer one is read to its end, not kept, and refused.
        request_s: seconds from the connection to the whole A-ASSOCIATE-RQ.
        pdu_s: seconds from the first byte of a PDU to its last, and for sending one.
        message_s: seconds from the first PDU of a message to its last, and one more for each 64 KiB.
        handshake_s: seconds for the TLS handshake.
        connections: open at once; far below 1024 descriptors.
        connections_of_one_address: of these, from one IP address; above what the busiest peer opens.
    """

    pdu_length: int = 131072
    request_length: int = 65536
    command_length: int = 65536
    message_length: int = 128 << 20
    request_s: float = 10.0
    pdu_s: float = 10.0
    message_s: float = 30.0
    handshake_s: float = 5.0
    connections: int = 64
    connections_of_one_address: int = 24

    def message_deadline_s(self, received: int) -> float:
        """Return how many seconds a message of which so many bytes are here may have taken."""
        return self.message_s + received / SLOWEST
