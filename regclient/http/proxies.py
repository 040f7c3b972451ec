"""The proxy and the certificates for a server, from the user's environment."""

import importlib.util
import ipaddress
import os
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore2
import httpx2

from regclient.errors import UsageError

_SCHEMES = ("http", "https", "socks5", "socks5h")


def proxy_for(url: str) -> httpx2.Proxy | None:
    """Return the proxy of HTTP_PROXY, HTTPS_PROXY or ALL_PROXY (also in lower case), unless NO_PROXY names the host.

    Raises:
        UsageError: The variable does not hold a proxy's address. It may hold a password, so the message shows only its
            name.
    """
    parts = urlsplit(url)
    proxies = getproxies()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    address = proxies.get(kind)
    if not address or proxy_bypass(parts.netloc) or _is_in_no_proxy_network(parts.hostname or "", proxies):
        return None
    variable = _variable(f"{kind}_proxy")
    try:
        address = address if "://" in address else f"http://{address}"
        proxy = httpx2.Proxy(address)
        if not urlsplit(address).hostname:
            raise ValueError
    except (ValueError, httpx2.InvalidURL):
        raise UsageError(
            f"{variable}: expected the address of a proxy, such as http://HOST:PORT (or {', '.join(_SCHEMES[1:])}). "
            f"Correct it, or name {parts.hostname} in NO_PROXY."
        ) from None
    if proxy.url.scheme.startswith("socks"):
        _require_socks(variable, parts.hostname or "")
    return proxy


def ssl_context_for(url: str, proxy: httpx2.Proxy | None) -> ssl.SSLContext | None:
    """Return the context that checks certificates; None if neither server nor proxy uses `https://`.

    Raises:
        UsageError: SSL_CERT_FILE or SSL_CERT_DIR cannot be read.
    """
    if not url.startswith("https:") and (proxy is None or proxy.url.scheme != "https"):
        return None
    directory = os.environ.get("SSL_CERT_DIR")
    if directory and not os.environ.get("SSL_CERT_FILE") and not os.path.isdir(directory):
        raise UsageError(f"SSL_CERT_DIR: expected a directory of certificates; {directory!r} is not a directory.")
    try:
        return httpcore2.default_ssl_context()
    except OSError as error:  # includes ssl.SSLError
        file = os.environ.get("SSL_CERT_FILE")
        said = "holds no certificate" if isinstance(error, ssl.SSLError) else f"cannot be read ({error.strerror})"
        raise UsageError(f"SSL_CERT_FILE: expected a file of certificates (PEM); {file!r} {said}.") from error


def _is_in_no_proxy_network(host: str, proxies: dict[str, str]) -> bool:
    """Whether NO_PROXY names a network with this address, such as 10.0.0.0/8, which the standard library ignores."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in proxies.get("no", "").split(","):
        try:
            if "/" in entry and address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
        except ValueError:  # the entry is a host name
            continue
    return False


def _require_socks(variable: str, host: str) -> None:
    if importlib.util.find_spec("socksio") is None:
        raise UsageError(
            f"{variable} names a SOCKS proxy, which needs one package more: `pip install socksio`. "
            f"Install it, or name {host} in NO_PROXY."
        )


def _variable(lower_name: str) -> str:
    """Return the variable's name as the environment spells it; lower case takes precedence."""
    names = sorted((name for name in os.environ if name.lower() == lower_name), reverse=True)
    return names[0] if names else lower_name.upper()
