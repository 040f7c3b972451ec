"""Accepted host names, and sites that may send requests: against DNS rebinding and CSRF."""

import socket
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers

from api.http.errors import ProblemError
from jobs.settings import Settings

LOOPBACK = ("localhost", "127.0.0.1", "::1")
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 -- an address to listen on, not a name that clients use


class HostRules:
    """The rules of one server."""

    def __init__(self, settings: Settings) -> None:
        own = [settings.host] if settings.host not in ANY_ADDRESS else []
        public = urlsplit(settings.public_url or "")
        names = [*LOOPBACK, *own, socket.gethostname(), public.hostname or "", *settings.allowed_hosts]
        self._names = frozenset(name.lower() for name in names if name)
        self._public_origin = _origin(public)

    def check(self, headers: Headers) -> ProblemError | None:
        """Return why a request is refused, or None.

        A browser says where a request comes from; other clients send neither `Origin` nor `Sec-Fetch-Site`.
        """
        host = headers.get("host", "")
        if not self._is_own(host):
            detail = (
                f"This server does not answer to the host {host!r:.100}. Behind a proxy, set REGCORE_PUBLIC_URL to the "
                "address that users call, and let the proxy pass the Host header on; or add the name to "
                "REGCORE_ALLOWED_HOSTS."
            )
            return ProblemError("foreign_host", detail)
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site", "none")
        foreign = origin is not None and not self._is_same(origin.lower(), host.lower())
        if foreign or site not in ("none", "same-origin"):
            detail = (
                "Requests that a page of another site makes are refused. Call from a program, or from this site; if "
                "this is the site, behind a proxy, set REGCORE_PUBLIC_URL to its address."
            )
            return ProblemError("foreign_origin", detail)
        return None

    def _is_own(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")  # the dot of a name that is absolute
        except ValueError:
            return False
        if "*" in self._names or name in self._names:
            return True
        return any(one.startswith("*.") and name.endswith(one[1:]) for one in self._names)

    def _is_same(self, origin: str, host: str) -> bool:
        return origin in (f"http://{host}", f"https://{host}", self._public_origin)


def _origin(url: SplitResult) -> str:
    """A URL's origin as browsers write it: without the port that its scheme has anyway."""
    netloc = url.netloc.lower().removesuffix({"http": ":80", "https": ":443"}.get(url.scheme, ""))
    return f"{url.scheme}://{netloc}"
