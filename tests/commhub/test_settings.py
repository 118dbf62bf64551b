import os
import tomllib
from pathlib import Path

import pytest

from commhub import settings
from commhub.settings import Mistakes, Settings, all_paths, load, show, variable

SHIPPED = Path(__file__).parents[2] / "configs" / "commhub.toml"
LONG = "0123456789abcdef0123456789abcdef"


def flatten(tree: dict[str, object]) -> list[str]:
    paths = []
    for name, value in tree.items():
        paths += [f"{name}.{key}" for key in value] if isinstance(value, dict) and value else [name]
    return paths


def mistakes(environment: dict[str, str]) -> list[str]:
    with pytest.raises(Mistakes) as caught:
        load(environment)
    return caught.value.lines


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str) -> dict[str, str]:
    Path("my.toml").write_text(text, "utf-8")
    return {"COMMHUB_CONFIG": "my.toml"}


def test_shipped_file_holds_every_key_with_its_default() -> None:
    assert sorted(flatten(tomllib.loads(SHIPPED.read_text("utf-8")))) == sorted(all_paths())
    assert load({"COMMHUB_CONFIG": str(SHIPPED)}).settings == Settings()


def test_shipped_file_explains_every_key() -> None:
    for line in SHIPPED.read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            assert "  # " in line or " # " in line, line


def test_environment_beats_file_beats_default() -> None:
    file = write('[http]\nport = 1001\nhost = "::1"\n')
    loaded = load(file | {"COMMHUB_HTTP__PORT": "1002"})
    assert (loaded.settings.http.port, loaded.settings.http.host, loaded.settings.http.tls) == (1002, "::1", "auto")
    assert loaded.origins == {"http.port": "COMMHUB_HTTP__PORT", "http.host": "my.toml"}


def test_the_file_in_configs_is_found_without_being_named() -> None:
    Path("configs").mkdir()
    Path("configs/commhub.toml").write_text("[http]\nport = 1001\n")
    assert load({}).settings.http.port == 1001


def test_fixed_names_of_the_environment() -> None:
    tree = load(
        {
            "COMMHUB_DATA_DIR": "/var/lib/x",
            "COMMHUB_HTTP__HOST": "0.0.0.0",
            "COMMHUB_HTTP__PORT": "9000",
            "COMMHUB_MEDIA__ADDRESS": "10.0.0.1=203.0.113.7, 127.0.0.1",
            "COMMHUB_MEDIA__PORT": "9001",
            "COMMHUB_MEDIA__WORKERS": "2",
            "COMMHUB_KEYS": f'{{"one": "{LONG}", "Two": {{"secret": "{LONG}", "scope": "all"}}}}',
            "COMMHUB_DATABASE__URL": "sqlite+aiosqlite:////tmp/x.db",
            "COMMHUB_REDIS__URL": "redis://127.0.0.1",
        }
    ).settings
    assert tree.data_dir == Path("/var/lib/x")
    assert tree.media.pairs() == [("10.0.0.1", "203.0.113.7"), ("127.0.0.1", "127.0.0.1")]
    assert tree.keys["one"].scope == "own"
    assert tree.keys["Two"].scope == "all"
    assert tree.keys["one"].secret.get_secret_value() == LONG
    assert tree.database_url == "sqlite+aiosqlite:////tmp/x.db"


def test_lists_may_be_json() -> None:
    tree = load({"COMMHUB_BRIDGES__ALLOW": '["10.0.0.0/8:554", "[2001:db8::1]:8554"]'}).settings
    assert tree.bridges.allow == ["10.0.0.0/8:554", "[2001:db8::1]:8554"]
    assert load({"COMMHUB_MEDIA__ADDRESS": ""}).settings.media.address == []


def test_receivers_of_webhooks_come_from_file_or_environment_and_need_their_key_and_address() -> None:
    keys = {"COMMHUB_KEYS": f'{{"city": "{LONG}"}}', "COMMHUB_WEBHOOKS__ALLOW": "10.1.2.3:443"}
    said = {"COMMHUB_WEBHOOKS__RECEIVERS": '[{"url": "https://city.example/hook", "key": "city"}]'}
    loaded = load(keys | said)
    assert [(one.url, one.key) for one in loaded.settings.webhooks.receivers] == [("https://city.example/hook", "city")]
    assert 'receivers = [{url = "https://city.example/hook", key = "city"}]' in show(loaded)
    assert [line.split(": ")[0] for line in mistakes(said)] == ["webhooks.allow"]
    assert [line.split(": ")[0] for line in mistakes(said | {"COMMHUB_WEBHOOKS__ALLOW": "10.1.2.3:443"})] == [
        "webhooks.receivers"
    ]
    for url in ("ftp://city.example/", "https://user:secret@city.example/", "city.example"):
        (line,) = mistakes(keys | {"COMMHUB_WEBHOOKS__RECEIVERS": f'[{{"url": "{url}", "key": "city"}}]'})
        assert line.startswith("webhooks.receivers.0.url: ")


def test_the_token_of_the_metrics_is_long_and_shown_nowhere() -> None:
    loaded = load({"COMMHUB_METRICS__TOKEN": "0123456789abcdef"})
    assert "0123456789abcdef" not in show(loaded)
    assert [line.split(": ")[0] for line in mistakes({"COMMHUB_METRICS__TOKEN": "short"})] == ["metrics.token"]


def test_every_mistake_is_listed_with_its_path_and_source() -> None:
    Path("my.toml").write_text('nonsense = 1\n[http]\nprot = 80\n[media]\nport = "x"\nworkers = 0\n')
    lines = mistakes(
        {
            "COMMHUB_CONFIG": "my.toml",
            "COMMHUB_LOG__LEVEL": "loud",
            "COMMHUB_FOO__BAR": "1",
            "COMMHUB_HTTP__HOTS": "1",
            "COMMHUB_KEYS__one": LONG,
            "OTHER_PROGRAM": "1",
        }
    )
    assert sorted(line.split(": ")[0] for line in lines) == [
        "foo.bar",
        "http.hots",
        "http.prot",
        "keys.one",
        "log.level",
        "media.port",
        "media.workers",
        "nonsense",
    ]
    assert all("/" in line and line.endswith(")") for line in lines)
    assert any(line.endswith("(my.toml)") for line in lines)
    assert any(line.endswith("(COMMHUB_LOG__LEVEL)") for line in lines)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("HTTP__PORT", "70000", "http.port: 应不大于 65535。 / input should be less than or equal to 65535."),
        ("HTTP__PORT", "web", "http.port: 应为整数。"),
        ("HTTP__HOST", "", "http.host: 不能为空。"),
        ("HTTP__PROT", "1", "http.prot: 没有这个配置项，是否为 http.port？ / unknown key, did you mean http.port?"),
        ("HTTP__TLS", "maybe", "http.tls: 应为 'auto', 'on'、'off' 之一。"),
        ("HTTP__CERTIFICATE", "/none.pem", "http.key: 证书和私钥必须同时给出。 / certificate and key belong together."),
        ("HTTP__PUBLIC_URL", "hub.example", "http.public_url: “hub.example”应为不带路径的网址"),
        ("HTTP__TRUSTED_PROXIES", "10.0.0.1/8", "10.0.0.1/8 has host bits set"),
        ("MEDIA__ADDRESS", "eth0", "media.address: “eth0”不是 IP 地址。 / 'eth0' is not an IP address."),
        ("MEDIA__ADDRESS", "10.0.0.1=", "'' is not an IP address."),
        ("MEDIA__ADDRESS", "[1", "media.address: 不是有效的 JSON 列表。 / is not a valid JSON list."),
        ("MEDIA__ENGINE", "livekit", "media.engine: 应为 'embedded' 之一。"),
        ("GB28181__ENABLED", "true", "gb28181.id: 启用后必须给出平台的 20 位编码。 / the platform needs its code of 20 digits."),
        ("GB28181__HOSTS", "sip.example", "gb28181.hosts: “sip.example”不是 IP 地址。"),
        ("GB28181__MEDIA_ADDRESS", "x", "'x' is not an IP address."),
        ("GB28181__MEDIA_PORTS", "30000", "'30000' is not a range of ports such as 30000-30998."),
        ("GB28181__MEDIA_PORTS", "40000-30000", "“40000-30000”应写作端口范围"),
        ("BRIDGES__ALLOW", "10.0.0.0/8", "“10.0.0.0/8” is not network:port"),
        ("BRIDGES__ALLOW", "10.0.0.0/8:0", "“10.0.0.0/8:0” has a port outside of 1 to 65535."),
        ("BRIDGES__ALLOW", "10.0.0.0/99:554", "“10.0.0.0/99:554” has no readable network"),
        ("KEYS", "{", "keys: 应为 JSON"),
        ("KEYS", "[]", "keys: 应为一组键值。"),
        ("KEYS", '{"a": {"scope": "all"}}', "keys.a.secret: 缺少此项。"),
        ("KEYS", '{"a": "short", "b": "brief"}', "keys.a, keys.b: 密钥至少 32 个字符"),
        ("DATA_DIR", "/" + "x" * 200, "data_dir: 路径过长"),
        ("RECORDER__CLUSTER_MS", "1", "recorder.cluster_ms: 应不小于 100。"),
    ],
)
def test_wrong_value(variable: str, value: str, sentence: str) -> None:
    (line,) = mistakes({f"COMMHUB_{variable}": value})
    assert sentence in line


def test_media_ports_of_all_workers_must_exist() -> None:
    (line,) = mistakes({"COMMHUB_MEDIA__PORT": "65535", "COMMHUB_MEDIA__WORKERS": "2"})
    assert line.startswith("media.port: ")


def test_pages_and_media_cannot_share_a_port() -> None:
    same = {"COMMHUB_HTTP__PORT": "9001", "COMMHUB_MEDIA__PORT": "9000", "COMMHUB_MEDIA__WORKERS": "2"}
    (line,) = mistakes(same)
    assert line == "http.port: 与 media.port 的端口冲突。 / is a port of media.port's as well. (COMMHUB_HTTP__PORT)"
    assert load(same | {"COMMHUB_MEDIA__WORKERS": "1"}).settings.http.port == 9001
    assert load(same | {"COMMHUB_MEDIA__ADDRESS": "10.0.0.1"}).settings.http.port == 9001


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"http = [", "不是有效的 TOML / is not valid TOML"), (b"\xff", "is not valid TOML"), (None, "cannot be read")],
)
def test_wrong_file(content: bytes | None, sentence: str) -> None:
    if content is not None:
        Path("my.toml").write_bytes(content)
    (line,) = mistakes({"COMMHUB_CONFIG": "my.toml"})
    assert line.startswith("my.toml: ")
    assert sentence in line


def test_a_section_that_is_no_table() -> None:
    assert mistakes(write("http = 1\n") | {"COMMHUB_HTTP__PORT": "1"})[0].startswith("http: 应为一节配置")


def test_short_secrets_pass_with_dev_only() -> None:
    keys = {"COMMHUB_KEYS": '{"devkey": "secret"}'}
    (line,) = mistakes(keys)
    assert "the secret is shorter than 32 characters" in line
    assert load(keys | {"COMMHUB_DEV": "true"}).settings.keys["devkey"].secret.get_secret_value() == "secret"


def test_a_wrong_secret_is_not_quoted_in_the_mistake() -> None:
    for text in ('{"a": "canary-secret"}', '{"a": "canary-secret"', '{"a": {"secret": "canary", "scope": "canary-x"}}'):
        assert "canary" not in "\n".join(mistakes({"COMMHUB_KEYS": text}))


def test_secrets_are_shown_nowhere() -> None:
    loaded = load(
        {
            "COMMHUB_KEYS": f'{{"one": "{LONG}"}}',
            "COMMHUB_DATABASE__URL": "postgresql+asyncpg://hub:canary@db/hub",
            "COMMHUB_REDIS__URL": "redis://:canary@r/0",
        }
    )
    text = show(loaded)
    for shown in (text, repr(loaded.settings), str(loaded.settings), loaded.settings.model_dump_json(include={"keys"})):
        assert LONG not in shown
        assert "canary" not in shown
    assert "postgresql+asyncpg://***@db/hub" in text


def test_show_is_the_tree_as_toml_with_its_sources() -> None:
    loaded = load({"COMMHUB_HTTP__PORT": "9000", "COMMHUB_DATA_DIR": "/srv/hub"})
    assert sorted(flatten(tomllib.loads(show(loaded)))) == sorted(all_paths())
    assert "port = 9000  # COMMHUB_HTTP__PORT" in show(loaded).splitlines()
    Path("shown.toml").write_text(show(loaded), "utf-8")
    assert load({"COMMHUB_CONFIG": "shown.toml"}).settings == loaded.settings


@pytest.mark.parametrize(
    ("host", "tls", "secure"),
    [
        ("127.0.0.1", "auto", False),
        ("::1", "auto", False),
        ("localhost", "auto", False),
        ("0.0.0.0", "auto", True),
        ("::", "auto", True),
        ("hub.example", "auto", True),
        ("192.0.2.1", "auto", True),
        ("192.0.2.1", "off", False),
        ("127.0.0.1", "on", True),
    ],
)
def test_plain_http_only_on_loopback_or_behind_a_proxy(host: str, tls: str, secure: bool) -> None:
    assert load({"COMMHUB_HTTP__HOST": host, "COMMHUB_HTTP__TLS": tls}).settings.http.secure is secure


def test_nothing_changes_after_loading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().http.port = 1


def test_settings_alone_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMHUB_HTTP__PORT", "1")
    assert Settings().http.port == 8080
    assert load(os.environ).settings.http.port == 1


def test_data_dir_is_absolute_and_the_database_is_in_it() -> None:
    tree = Settings(data_dir=Path("here"))
    assert tree.data_dir == Path.cwd() / "here"
    assert tree.database_url == f"sqlite+aiosqlite:///{Path.cwd()}/here/commhub.db"


def test_variable_names() -> None:
    assert variable("http.port") == "COMMHUB_HTTP__PORT"
    assert variable("data_dir") == "COMMHUB_DATA_DIR"
    assert settings.find_file({}) is None
