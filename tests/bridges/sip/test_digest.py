from __future__ import annotations

import hashlib

import pytest

from bridges.sip import digest
from bridges.sip.digest import Credentials, Server, Verdict, answer, chosen, respond

USER, PASSWORD, URI = "34020000001110000001", '密码 a"b', "sip:34020000002000000001@3402000000"


def server(**more: object) -> Server:
    return Server(b"k" * 32, "3402000000", **more)  # type: ignore[arg-type]


def login(one: Server, now: float = 100.0, *, address: str = "10.0.0.1", password: str = PASSWORD, uri: str = URI) -> Credentials:
    made = answer(one.challenge(address, now), USER, password, "REGISTER", uri, "cn")
    assert made is not None
    return Credentials.parse(made)


def verify(
    one: Server, said: Credentials, now: float = 101.0, *, address: str = "10.0.0.1", password: str | None = PASSWORD
) -> Verdict:
    return one.verify(said, password, "REGISTER", address, now)


@pytest.mark.parametrize("qop", [True, False])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_who_knows_the_password_comes_in(algorithm: str, qop: bool) -> None:
    one = server(algorithms=(algorithm,), qop=qop)
    said = login(one)
    assert (said.algorithm, said.qop) == (algorithm, "auth" if qop else "")
    assert verify(one, said) is Verdict.RIGHT


def test_the_example_of_rfc_2617() -> None:
    said = Credentials(
        "Mufasa", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "/dir/index.html", "", qop="auth", count=1,
        count_text="00000001", cnonce="0a4f113b",
    )  # fmt: skip
    assert said.expected("Circle Of Life", "GET") == "6629fae49393a05397450978507c4ef1"


def test_the_example_of_rfc_7616() -> None:
    said = Credentials(
        "Mufasa", "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "/dir/index.html", "", "SHA-256",
        qop="auth", count=1, count_text="00000001", cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )  # fmt: skip
    assert said.expected("Circle of Life", "GET") == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def test_a_session_key() -> None:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    said = Credentials("u", "r", "n", "sip:x", "", session=True, qop="auth", count=1, count_text="00000001", cnonce="c")
    first = md5(md5("u:r:p") + ":n:c")
    assert said.expected("p", "REGISTER") == md5(f"{first}:n:00000001:c:auth:{md5('REGISTER:sip:x')}")


def test_the_uri_is_what_the_device_wrote() -> None:
    one = server()
    assert verify(one, login(one, uri="sip:3402000000@my-own-idea")) is Verdict.RIGHT


@pytest.mark.parametrize("password", ["other", None])
def test_who_does_not_know_it_stays_outside(password: str | None) -> None:
    one = server()
    assert verify(one, login(one), password=password) is Verdict.WRONG


def test_an_empty_password_opens_no_unknown_name() -> None:
    one = server()
    assert verify(one, login(one, password=""), password=None) is Verdict.WRONG


@pytest.mark.parametrize("field", ["response", "nonce", "uri", "realm", "user", "cnonce"])
def test_every_part_counts(field: str) -> None:
    one = server()
    said = login(one)
    changed = Credentials(**{name: getattr(said, name) for name in said.__slots__} | {field: "x" + getattr(said, field)})
    assert verify(one, changed) is Verdict.WRONG


def test_a_replay_is_refused() -> None:
    for qop in (True, False):
        one = server(qop=qop)
        said = login(one)
        assert [verify(one, said), verify(one, said), verify(one, said)] == [Verdict.RIGHT, Verdict.STALE, Verdict.STALE]


def test_counts_come_in_any_order_but_each_once() -> None:
    one = server()
    challenge = chosen(one.challenge("10.0.0.1", 100.0))
    assert challenge is not None
    made = [Credentials.parse(respond(challenge, USER, PASSWORD, "REGISTER", URI, "cn")) for _ in range(200)]
    order = [0, 2, 1, 70, 69, 7, 6, 70, 199, 135, 136]
    right = [verify(one, made[index]) is Verdict.RIGHT for index in order]
    #        0     2     1     70    69    7     6      70     199   135    136: 64 and more below the highest are too old
    assert right == [True, True, True, True, True, True, False, False, True, False, True]


def test_an_old_nonce_is_stale_and_the_next_challenge_says_so() -> None:
    one = server(seconds=30)
    assert verify(one, login(one, 100.0), 131.0) is Verdict.STALE
    again = one.challenge("10.0.0.1", 131.0, stale=True)
    assert again[0].endswith("stale=true")
    challenge = chosen(again)
    assert challenge is not None
    assert challenge.stale


def test_a_nonce_belongs_to_an_address_and_to_this_process() -> None:
    one = server()
    assert verify(one, login(one), address="10.0.0.2") is Verdict.STALE
    assert verify(Server(b"other" * 8, "3402000000"), login(one)) is Verdict.STALE


def test_no_weaker_algorithm_than_was_asked_for() -> None:
    strong, weak = server(algorithms=("SHA-256",)), server()
    assert verify(strong, login(weak)) is Verdict.WRONG


def test_two_challenges_and_the_stronger_one_is_taken() -> None:
    one = server(algorithms=("SHA-256", "MD5"))
    assert [header.split("algorithm=")[1].split(",")[0] for header in one.challenge("a", 1.0)] == ["SHA-256", "MD5"]
    assert login(one).algorithm == "SHA-256"
    assert one.challenge("a", 1.0, algorithms=["MD5"], qop=False)[0].endswith("algorithm=MD5")


def test_basic_is_never_answered() -> None:
    assert answer(['Basic realm="x"'], USER, PASSWORD, "REGISTER", URI, "cn") is None


def test_memory_is_bounded_and_forgets_nothing_that_it_believes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "USED_LIMIT", 10)
    one = server()
    logins = [(login(one, now), now) for now in (float(second) / 10 for second in range(1000, 1100))]
    assert all(verify(one, said, now) is Verdict.RIGHT for said, now in logins)
    assert len(one._used) <= 10
    assert all(verify(one, said, 110.0) is Verdict.STALE for said, _ in logins)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("Basic YTpi", "The credentials are not of the Digest scheme."),
        ('Digest username="a"', "The credentials lack realm."),
        (
            'Digest username="a",realm="",nonce="",uri="",response="",qop=auth,nc=x',
            "The credentials have a qop without a readable count and cnonce.",
        ),
    ],
)
def test_wrong_input_has_its_sentence(header: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        Credentials.parse(header)
    assert str(caught.value) == sentence


def test_a_name_in_any_charset_is_only_wrong() -> None:
    one = server()
    name = b"\xb6\xab".decode("utf-8", "surrogateescape")
    said = Credentials.parse(f'Digest username="{name}",realm="3402000000",nonce="{name}",uri="sip:x",response="{name}"')
    assert verify(one, said) is Verdict.WRONG
