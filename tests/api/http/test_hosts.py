import pytest
from starlette.datastructures import Headers

from api.http.hosts import HostRules
from jobs.settings import Settings


@pytest.fixture
def rules(settings: Settings) -> HostRules:
    update = {"allowed_hosts": ("api", "*.example.com"), "public_url": "https://train.example.org/regcore"}
    return HostRules(settings.model_copy(update=update))


@pytest.mark.parametrize(
    "host",
    [
        *["127.0.0.1", "localhost:8000", "[::1]:8000", "api:8000", "a.example.com", "train.example.org", "LOCALHOST"],
        *["train.example.org:8443", "train.example.org.", "Train.Example.ORG"],
    ],
)
def test_own_names_are_answered(host: str, rules: HostRules) -> None:
    assert rules.check(Headers({"host": host})) is None


@pytest.mark.parametrize(
    "host", ["", "evil.com", "example.com", "127.0.0.1.evil.com", "evil.com:127.0.0.1", "[", "api@evil.com"]
)
def test_other_names_are_refused(host: str, rules: HostRules) -> None:
    problem = rules.check(Headers({"host": host}))

    assert problem is not None
    assert problem.code == "foreign_host"
    assert "REGCORE_PUBLIC_URL" in problem.detail
    assert "REGCORE_ALLOWED_HOSTS" in problem.detail


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.com"},
        {"origin": "null"},
        {"origin": "http://localhost:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_sites_are_refused(headers: dict[str, str], rules: HostRules) -> None:
    problem = rules.check(Headers({"host": "localhost:8000", **headers}))

    assert problem is not None
    assert problem.code == "foreign_origin"
    assert "REGCORE_PUBLIC_URL" in problem.detail


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"},
        {"origin": "https://train.example.org"},
        {"sec-fetch-site": "none"},
    ],
)
def test_own_pages_may_call(headers: dict[str, str], rules: HostRules) -> None:
    assert rules.check(Headers({"host": "localhost:8000", **headers})) is None


@pytest.mark.parametrize("port", ["", ":443"])
def test_the_public_urls_own_page_may_call_though_a_proxy_changes_the_host(port: str, settings: Settings) -> None:
    rules = HostRules(settings.model_copy(update={"public_url": f"https://Train.example.org{port}/regcore"}))

    headers = Headers({"host": "127.0.0.1:8000", "origin": "https://train.example.org"})

    assert rules.check(headers) is None
