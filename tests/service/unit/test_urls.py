import pytest

from certificates.urls import HostRule, Url, UrlTemplate


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://X.example.com/a", Url("https", "x.example.com", 443, "/a")),
        ("https://files.example.com", Url("https", "files.example.com", 443, "/")),
        ("https://files.example.com?x=1", Url("https", "files.example.com", 443, "/?x=1")),
        ("https://files.example.com:8443/", Url("https", "files.example.com", 8443, "/")),
        ("http://127.0.0.1:9000/a", Url("http", "127.0.0.1", 9000, "/a")),
        ("http://127.8.9.1/a", Url("http", "127.8.9.1", 80, "/a")),
        ("http://localhost/a", Url("http", "localhost", 80, "/a")),
        ("http://[::1]:9000/a", Url("http", "::1", 9000, "/a")),
        ("https://e.com/a%2fB%2F?s=%3d+%20", Url("https", "e.com", 443, "/a%2fB%2F?s=%3d+%20")),
    ],
)
def test_a_url_is_split_and_otherwise_unchanged(text: str, url: Url) -> None:
    assert Url.parse(text) == url


@pytest.mark.parametrize(
    "texts",
    [
        # Another scheme, or another machine by http
        (
            "",
            "//files.example.com/a",
            "ftp://files.example.com/a",
            "HTTPS://files.example.com/",
            "https:f.example.com/a",
        ),
        ("http://files.example.com/a", "http://LOCALHOST/"),
        # Addresses, and what resolvers read as one
        ("https://192.0.2.7/a", "https://[2001:db8::7]/", "https://[::1/a", "https://[fe80::1%25eth0]/"),
        ("https://10.0.7/", "http://127.example1/", "https://012.0.0.7/", "https://files.0x7f/"),
        ("http://[::ffff:127.0.0.1]/", "http://127.1/", "http://0x7f.0.0.1/"),
        # User information and white space
        ("https://user@files.example.com/a", "https://files.example.com@evil.example.com/a"),
        ("https://files.example.com\\@evil.example.com/a", " https://files.example.com/a", "https://e.example.com/a b"),
        # Characters
        ("https://files.example.com/a\r\nX: y", "https://files.example.com/\x00", "https://files.example.com/a#b"),
        ("https://files.example.com/\u00e9", "https://files\uff0eexample.com/"),
        # Ports and dots
        ("https://files.example.com:/a", "https://files.example.com:70000/a", "https://files.example.com:0/a"),
        ("https://files.example.com./a", "https://.example.com/a", "https://files..example.com/a"),
    ],
)
def test_a_url_that_two_parsers_could_read_differently_is_refused(texts: tuple[str, ...]) -> None:
    for text in texts:
        with pytest.raises(ValueError, match=r"^is |^has ") as error:
            Url.parse(text)
        assert text == "" or text not in str(error.value)


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("HTTPS://Files.Example.COM/A b", Url("https", "files.example.com", 443, "/A%20b")),
        (" https://files.example.com/\u00e9\r\n", Url("https", "files.example.com", 443, "/%C3%A9")),
        ("https://files.example.com?[x]", Url("https", "files.example.com", 443, "/?%5Bx%5D")),
        ("https://files.example.com?x#a", Url("https", "files.example.com", 443, "/?x")),
        ("https://files.example.com/%20#a b", Url("https", "files.example.com", 443, "/%20")),
        ("https://files.example.com/" + "a" * 8166, Url("https", "files.example.com", 443, "/" + "a" * 8166)),
    ],
)
def test_a_link_is_encoded_as_browsers_do(link: str, url: Url) -> None:
    assert Url.parse_link(link) == url


@pytest.mark.parametrize(
    "link",
    [
        "https://files.example.com/" + "a" * 8167,
        "https://files.example.com#a",
        "https://files.example.com\\.evil.example.com/",
        "https://files.example.com/\x00",
        "https://files.example.com/a\tb",
        "https://files.example.com/\ud800",
        "https://\u24d5iles.example.com/",
        "https://a b@files.example.com/",
        "\x0bhttps://files.example.com/",
        "Xhttps://files.example.com/",
        "/a b",
        "",
    ],
)
@pytest.mark.threat("API7")
def test_a_link_has_as_strict_an_authority_as_any_url(link: str) -> None:
    with pytest.raises(ValueError, match=r"^is |surrogates"):
        Url.parse_link(link)


@pytest.mark.parametrize(
    ("template", "target"),
    [
        ("https://e.com/v1/{providerRequestId}/c", "/v1/a%2F..%3F%23%20%C3%A9/c"),
        ("https://e.com/c?id={providerRequestId}&merge=true", "/c?id=a%2F..%3F%23%20%C3%A9&merge=true"),
    ],
)
@pytest.mark.threat("API7")
def test_an_id_cannot_leave_its_place(template: str, target: str) -> None:
    url = UrlTemplate.parse(template).expand("a/..?# \u00e9")
    assert (url.host, url.target) == ("e.com", target)


@pytest.mark.parametrize(
    ("template", "request_id"),
    [
        ("https://e.com/{providerRequestId}", "."),
        ("https://e.com/.{providerRequestId}/c", "."),
        ("https://e.com/%2e{providerRequestId}?x", "."),
        ("https://e.com/%2E{providerRequestId}", ""),
        ("https://e.com/{providerRequestId}{providerRequestId}", "."),
        ("https://e.com/{providerRequestId}", "\ud800"),
    ],
)
@pytest.mark.threat("API7")
def test_an_id_that_would_leave_its_place_is_refused(template: str, request_id: str) -> None:
    with pytest.raises(ValueError, match=r"dot segment|surrogates"):
        UrlTemplate.parse(template).expand(request_id)


def test_dots_are_kept_if_they_are_not_a_whole_segment() -> None:
    template = UrlTemplate.parse("https://e.com/a{providerRequestId}?id={providerRequestId}")
    assert template.expand("..").target == "/a..?id=.."


@pytest.mark.parametrize(
    "template",
    [
        "https://e.com/c",
        "https://{providerRequestId}.e.com/c",
        "https://{providerRequestId}/c",
        "https://e.com:{providerRequestId}/c",
        "http://e.com/{providerRequestId}",
        "https://e.com/{id}/{providerRequestId}",
    ],
)
def test_an_invalid_template_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"^is |^must "):
        UrlTemplate.parse(template)


@pytest.mark.parametrize(
    ("rule", "allowed", "refused"),
    [
        ("Files.example.com", "https://files.EXAMPLE.com/a", "https://a.files.example.com/"),
        ("files.example.com", "https://files.example.com/", "https://files.example.com.evil.com/"),
        ("files.example.com", "https://files.example.com:443/", "https://files.example.com:8443/"),
        ("files.example.com:8443", "https://files.example.com:8443/", "https://files.example.com/"),
        ("*.example.com", "https://a.example.com/", "https://example.com/"),
        ("*.example.com", "https://a.b.example.com/", "https://evilexample.com/"),
        ("*.example.com", "https://a.example.com/", "https://a.example.com:444/"),
        ("127.0.0.1", "http://127.0.0.1:5000/", "http://127.0.0.2:5000/"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000/", "http://127.0.0.1:5001/"),
        ("localhost", "http://localhost:5000/", "http://127.0.0.1/"),
        ("[::1]", "http://[::1]:5000/", "http://localhost/"),
    ],
)
def test_only_listed_hosts_are_allowed(rule: str, allowed: str, refused: str) -> None:
    assert HostRule.parse(rule).allows(Url.parse(allowed))
    assert not HostRule.parse(rule).allows(Url.parse(refused))


@pytest.mark.parametrize(
    "rule",
    ["", "*", "*.", "*.7", "*.[::1]", "a.com.", "a.com/", "a.com:0", "a.*.com", "*a.com", "https://a.com", "a,b"],
)
def test_an_invalid_host_rule_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="host names"):
        HostRule.parse(rule)
