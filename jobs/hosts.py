"""The address that the api listens on, as text."""

import ipaddress
import re

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_MAX_CHARACTERS = 253


def check_host(host: str) -> str:
    """Check an IP address or a host name, and return it.

    Raises:
        ValueError: It is neither, but for example a URL, or an address with a port.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        if len(host) > _MAX_CHARACTERS or not all(map(_LABEL.fullmatch, labels)):
            raise ValueError(
                "expected an address or a name such as 127.0.0.1, :: or localhost, without a port"
            ) from None
    return host
