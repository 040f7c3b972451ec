"""The reverse proxies of `docs/proxies`, run from the examples with other ports, certificates and host names.

On a machine without nginx, the tests' own proxy takes its place, so that no test is left out. Caddy and Traefik are
tested if they are installed.
"""

import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from servers import free_port
from small_proxy import SmallProxy

CERTIFICATE = Path(__file__).parent / "localhost.pem"
EXAMPLES = Path(__file__).parents[2] / "docs/proxies"
NAME = "train.example.org"
"""The host name in the examples; tests replace it with `localhost`."""

_START_TIMEOUT_S = 20.0
_PREFIX = "/regcore"


@dataclass(frozen=True)
class Proxy:
    """A running proxy.

    Attributes:
        name: `nginx`, `nginx-prefix`, `caddy`, `traefik` or `small`.
        url: The api's URL through the proxy.
    """

    name: str
    url: str

    def client(self, **options: object) -> httpx2.Client:
        """Return a client that reaches the api through the proxy."""
        trusted = ssl.create_default_context(cafile=str(CERTIFICATE))
        return httpx2.Client(base_url=self.url, verify=trusted, trust_env=False, timeout=30, **options)  # type: ignore[arg-type] # httpx2's own


def main_proxy() -> str:
    """Return the proxy for all tests: nginx if it is installed."""
    return "nginx" if _binary("nginx") else "small"


def found_proxies() -> list[str]:
    """Return the proxies that this machine can run, the main one first."""
    with_nginx = ["nginx", "nginx-prefix", "small"] if _binary("nginx") else ["small"]
    return [*with_nginx, *(name for name in ("caddy", "traefik") if _binary(name))]


def used_proxies() -> str:
    """Return a line about these proxies, such as `nginx (/usr/sbin/nginx), small (the tests' own)`."""
    places = {name: _binary(name) or "the tests' own" for name in found_proxies() if name != "nginx-prefix"}
    return ", ".join(f"{name} ({place})" for name, place in places.items())


@contextmanager
def run_proxy(name: str, api_port: int, folder: Path) -> Iterator[Proxy]:
    """Run a proxy before the api at a port; the api need not run yet.

    Args:
        name: A name from `found_proxies`.
        api_port: The api's port on loopback.
        folder: An empty folder for its files.
    """
    if name == "small":
        with SmallProxy(f"http://127.0.0.1:{api_port}") as small:
            yield Proxy(name, small.url)
        return
    port = free_port()
    command = _COMMANDS[name](folder, port, api_port)
    url = f"http://localhost:{port}{_PREFIX}" if name == "nginx-prefix" else f"https://localhost:{port}"
    with (folder / "proxy.log").open("wb") as log:
        environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
    try:
        proxy = Proxy(name, url)
        _await(proxy, process, folder / "proxy.log")
        yield proxy
    finally:
        process.terminate()
        process.wait(20)


def _await(proxy: Proxy, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    with proxy.client() as client:
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                client.get("/healthz")
                return
            except httpx2.TransportError:
                time.sleep(0.02)


def _example(name: str, changes: dict[str, str]) -> str:
    """Return the text of an example with words replaced; each word must occur."""
    content = (EXAMPLES / name).read_text("utf-8")
    for old, new in changes.items():
        assert old in content, f"docs/proxies/{name} has no {old!r}"
        content = content.replace(old, new)
    return content


def _nginx(folder: Path, site: str) -> list[str]:
    main = folder / "nginx.conf"
    (folder / "site.conf").write_text(site, "utf-8")
    places = "".join(
        f"{one}_temp_path {folder}/{one};\n" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # If root starts nginx, it serves as another user, who must not need to write into the tests' folders.
    user = "user root;\n" if os.geteuid() == 0 else ""
    http = f"access_log off;\n{places}include {folder}/site.conf;\n"
    main.write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{http}}}\n", "utf-8"
    )
    return [_program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(main)]


def _nginx_site(folder: Path, port: int, api_port: int) -> list[str]:
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "127.0.0.1:8000": f"127.0.0.1:{api_port}",
        f"server_name {NAME}": "server_name localhost",
        "/etc/ssl/regcore/fullchain.pem": str(CERTIFICATE),
        "/etc/ssl/regcore/privkey.pem": str(CERTIFICATE),
    }
    return _nginx(folder, _example("nginx.conf", changes))


def _nginx_prefix(folder: Path, port: int, api_port: int) -> list[str]:
    location = _example("nginx-prefix.conf", {"127.0.0.1:8000": f"127.0.0.1:{api_port}"})
    return _nginx(folder, f"server {{\nlisten 127.0.0.1:{port};\n{location}}}\n")


def _caddy(folder: Path, port: int, api_port: int) -> list[str]:
    changes = {
        f"{NAME} {{": f"https://localhost:{port} {{\n\ttls {CERTIFICATE} {CERTIFICATE}",
        "reverse_proxy 127.0.0.1:8000 {": f"reverse_proxy 127.0.0.1:{api_port} {{",
    }
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    (folder / "Caddyfile").write_text(options + _example("Caddyfile", changes), "utf-8")
    return [_program("caddy"), "run", "--config", "Caddyfile", "--adapter", "caddyfile"]


def _traefik(folder: Path, port: int, api_port: int) -> list[str]:
    changes = {
        "http://127.0.0.1:8000": f"http://127.0.0.1:{api_port}",
        f"`{NAME}`": "`localhost`",
        "/etc/ssl/regcore/fullchain.pem": str(CERTIFICATE),
        "/etc/ssl/regcore/privkey.pem": str(CERTIFICATE),
    }
    routes = folder / "traefik-routes.yml"
    routes.write_text(_example(routes.name, changes), "utf-8")
    start = {'":443"': f'"127.0.0.1:{port}"', "filename: traefik-routes.yml": f"filename: {routes}"}
    (folder / "traefik.yml").write_text(_example("traefik.yml", start), "utf-8")
    return [_program("traefik"), "--configFile=traefik.yml"]


def _binary(name: str) -> str | None:
    # Debian installs nginx outside the PATH of most users, and pip installs programs of wheels beside Python.
    beside_python = str(Path(sys.executable).parent)
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", beside_python]))


def _program(name: str) -> str:
    found = _binary(name)
    assert found is not None, f"{name} was not found"
    return found


_COMMANDS: dict[str, Callable[[Path, int, int], list[str]]] = {
    "nginx": _nginx_site,
    "nginx-prefix": _nginx_prefix,
    "caddy": _caddy,
    "traefik": _traefik,
}
