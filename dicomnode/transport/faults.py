"""Why a connection is cut."""


class ProtocolFault(Exception):
    """The peer broke the upper layer protocol or a limit; its association is aborted.

    Args:
        reason: for the log; never a value that the peer sent.
    """
