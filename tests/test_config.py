"""Configuration: where a value may come from, which source wins, and what each mistake is told."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path
from threading import Timer

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.cluster.intent_file import IntentFileError, read_intent_file
from exporter.config import (
    SETTINGS,
    ArgumentParser,
    Config,
    ConfigError,
    ListenAddress,
    UnixAddress,
    UsageError,
    add_arguments,
    load,
    parse_duration,
    parse_listen_address,
    reference,
    reload,
)
from exporter.vip.model import SECOND, Mac, ServiceRef

MILLISECOND = SECOND // 1000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def problems(argv: list[str], environ: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(argv, environ or {})
    assert all("\n" not in line for line in caught.value.problems)
    return caught.value.problems


def arguments(*argv: str) -> argparse.Namespace:
    parser = ArgumentParser()
    add_arguments(parser)
    namespace: argparse.Namespace = parser.parse_args(argv)
    return namespace


# --- what comes out ---------------------------------------------------------------------------------------------------


def test_the_defaults() -> None:
    config = load([], {"NODE_NAME": "node-1"})
    assert config == Config(observer_name="node-1")
    assert config.web_listen_address == (ListenAddress("", 10150),)
    assert config.capture_interface == ()
    assert config.capture_buffer == 4 << 20
    assert config.services_watch == (
        ServiceRef("kube-system", "ingress-expose"),
        ServiceRef("kube-system", "rke2-traefik"),
    )
    assert config.services_relist_interval == 300 * SECOND
    assert config.vip_period is None
    assert config.vip_settle_time == 15 * SECOND


def test_every_setting_has_its_field_and_a_default_it_accepts() -> None:
    assert [setting.field for setting in SETTINGS] == [item.name for item in fields(Config)]
    for setting in SETTINGS:
        assert setting.default or setting.unset
        assert setting.help.endswith(".")


EXAMPLES = {
    "config.file": ("CONFIG", "CONFIG"),
    "web.listen-address": ("127.0.0.1:1", (ListenAddress("127.0.0.1", 1),)),
    "web.config.file": ("/etc/web.yaml", Path("/etc/web.yaml")),
    "web.enable-lifecycle": ("true", True),
    "log.level": ("debug", "debug"),
    "log.format": ("json", "json"),
    "capture.interface": ("mgmt-br", ("mgmt-br",)),
    "capture.buffer": ("512KiB", 512 << 10),
    "kubernetes.enabled": ("false", False),
    "kubernetes.kubeconfig": ("/etc/k", Path("/etc/k")),
    "services.watch": ("default/web", (ServiceRef("default", "web"),)),
    "services.discover": ("true", True),
    "services.include": ("default/web-*", ("default/web-*",)),
    "services.exclude": ("guest-?/web", ("guest-?/web",)),
    "services.relist-interval": ("1m30s", 90 * SECOND),
    "lease.services": ("kube-vip/my.lock", (ServiceRef("kube-vip", "my.lock"),)),
    "control-plane.address": ("192.0.2.9", (ip_address("192.0.2.9"),)),
    "control-plane.lease": ("kube-vip/cp", ServiceRef("kube-vip", "cp")),
    "kube-vip.daemonset": ("kube-vip/kube-vip", (ServiceRef("kube-vip", "kube-vip"),)),
    "kube-vip.version": ("v0.8.2", (0, 8, 2)),
    "harvester.configmap": ("harvester-system/vip2", ServiceRef("harvester-system", "vip2")),
    "nodes": ("node-1=02:00:00:00:00:01", (("node-1", Mac(bytes.fromhex("020000000001"))),)),
    "host.enabled": ("false", False),
    "host.ignore-interface": ("dummy*", ("dummy*",)),
    "intent.file": ("intent.yaml", Path("intent.yaml")),
    "intent.stale-after": ("1h", 3600 * SECOND),
    "vip.period": ("0s", 0),
    "vip.settle-time": ("500ms", 500 * MILLISECOND),
    "observer.name": ("node-7", "node-7"),
    "metrics.detail": ("summary", "summary"),
    "events.history": ("5", 5),
    "state.path": ("/var/lib/state", Path("/var/lib/state")),
    "state.retention": ("1w", 7 * 86_400 * SECOND),
}


def test_harvesters_configmap_can_be_none() -> None:
    """Where there is no Harvester, the right to ask for it need not be given."""
    assert load(["--harvester.configmap=none"], {}).harvester_configmap is None


@pytest.mark.parametrize("setting", [item for item in SETTINGS if item.key != "config.file"], ids=lambda item: item.key)
def test_each_setting_from_each_source(setting: object, file: Path) -> None:
    assert not isinstance(setting, str)
    key, field = setting.key, setting.field  # type: ignore[attr-defined]
    text, expected = EXAMPLES[key]
    flag = {"false": [f"--no-{key}"], "true": [f"--{key}"]}.get(text, [f"--{key}", text])
    assert getattr(load(flag, {}), field) == expected
    assert getattr(load([], {f"VIP_EXPORTER_{field.upper()}": text}), field) == expected
    group, _, leaf = key.partition(".")
    file.write_text(f"{group}:\n  {leaf}: {text}\n" if leaf else f"{group}: {text}\n")
    assert getattr(load([f"--config.file={file}"], {}), field) == expected
    assert getattr(load([], {"VIP_EXPORTER_CONFIG_FILE": str(file)}), field) == expected


@pytest.mark.parametrize(
    ("flag", "variable", "in_file", "level"),
    [
        (None, None, None, "info"),
        (None, None, "debug", "debug"),
        (None, "warning", "debug", "warning"),
        ("error", "warning", "debug", "error"),
        ("error", None, "debug", "error"),
        (None, "", "debug", "debug"),
        (None, None, "", "info"),
    ],
)
def test_flag_beats_variable_beats_file_beats_default(
    file: Path, flag: str | None, variable: str | None, in_file: str | None, level: str
) -> None:
    argv = [f"--config.file={file}"] + ([f"--log.level={flag}"] if flag else [])
    file.write_text("" if in_file is None else f"log:\n  level: {in_file}\n")
    environ = {} if variable is None else {"VIP_EXPORTER_LOG_LEVEL": variable}
    assert load(argv, environ).log_level == level


@pytest.mark.parametrize(
    ("argv", "environ", "content", "interfaces"),
    [
        (["--capture.interface=a", "--capture.interface", "b"], {}, "", ("a", "b")),
        ([], {"VIP_EXPORTER_CAPTURE_INTERFACE": "a, b,a"}, "", ("a", "b")),
        ([], {}, "capture: {interface: [a, b]}", ("a", "b")),
        ([], {}, "capture: {interface: a}", ("a",)),
        ([], {}, "capture: {interface: []}", ()),
        (["--capture.interface=c"], {"VIP_EXPORTER_CAPTURE_INTERFACE": "b"}, "capture: {interface: [a]}", ("c",)),
    ],
)
def test_lists_replace_each_other(
    file: Path, argv: list[str], environ: dict[str, str], content: str, interfaces: tuple[str, ...]
) -> None:
    file.write_text(content)
    assert load([*argv, f"--config.file={file}"], environ).capture_interface == interfaces


@pytest.mark.parametrize(
    "content", ["", "# nothing\n", "---\n", "{}", "log:\n", "web: {listen-address: }", "null", "\ufeff"]
)
def test_a_file_may_say_nothing(file: Path, content: str) -> None:
    file.write_text(content, encoding="utf-8")
    assert load([f"--config.file={file}"], {"NODE_NAME": "n"}) == Config(config_file=file, observer_name="n")


def test_yaml_values_mean_what_they_look_like(file: Path) -> None:
    """An unquoted :10150, yes or 0123 reaches the parser as written, not as YAML 1.1 would have it."""
    file.write_text("web: {listen-address: ':1'}\nkubernetes: {enabled: no}\nobserver: {name: 0123}\nvip.period: 3s\n")
    config = load([f"--config.file={file}"], {})
    assert config.web_listen_address == (ListenAddress("", 1),)
    assert config.kubernetes_enabled is False
    assert config.observer_name == "0123"
    assert config.vip_period == 3 * SECOND


def test_the_observer_falls_back_to_the_node_then_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "host-1")
    assert load([], {}).observer_name == "host-1"
    assert load([], {"NODE_NAME": "node-1"}).observer_name == "node-1"
    assert load(["--observer.name=me"], {"NODE_NAME": "node-1"}).observer_name == "me"


def test_variables_of_others_are_left_alone() -> None:
    """Kubernetes sets these in each pod beside a Service named vip-exporter."""
    environ = {
        "VIP_EXPORTER_SERVICE_HOST": "10.0.0.1",
        "VIP_EXPORTER_SERVICE_PORT_METRICS": "10150",
        "VIP_EXPORTER_PORT": "tcp://10.0.0.1:10150",
        "VIP_EXPORTER_PORT_10150_TCP_ADDR": "10.0.0.1",
        "VIP_EXPORTER_LOG_PORT": "tcp://10.0.0.2:1",
        "VIP_EXPORTER_IMAGE": "x",
        "NODE_NAME": "n",
    }
    assert load([], environ) == Config(observer_name="n")


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0s", 0),
        ("15s", 15 * SECOND),
        ("1m30s", 90 * SECOND),
        ("500ms", 500 * MILLISECOND),
        ("1d2h3m4s5ms", (86400 + 7200 + 180 + 4) * SECOND + 5 * MILLISECOND),
        ("1y1w", 372 * 86400 * SECOND),
        *(
            (text, None)
            for text in ("", "15", "0", "1.5s", "-1s", "s", "1s1m", "1s1s", " 1s", "1S", "1min", "٣s", "9" * 40 + "s")
        ),
    ],
)
def test_durations(text: str, value: int | None) -> None:
    if value is None:
        with pytest.raises(ValueError):
            parse_duration(text)
    else:
        assert parse_duration(text) == value


@given(st.text())
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    for setting in SETTINGS:
        try:
            setting.kind.parse(text)
        except ValueError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":10150", "", 10150),
        ("0.0.0.0:1", "0.0.0.0", 1),
        ("[::]:80", "::", 80),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", 80),
        ("localhost:0", "localhost", 0),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_listen_address(text) == ListenAddress(host, port)
    assert str(ListenAddress(host, port)) == text


def test_unix_sockets() -> None:
    assert parse_listen_address("unix:/run/vip.sock") == UnixAddress("/run/vip.sock")
    assert str(UnixAddress("/run/vip.sock")) == "unix:/run/vip.sock"
    with pytest.raises(ValueError, match="at most 107 bytes"):
        parse_listen_address("unix:/" + "x" * 107)


def test_several_addresses_each_once() -> None:
    flags = [f"--web.listen-address={text}" for text in ("127.0.0.1:1", "unix:/run/vip.sock", "127.0.0.1:1")]
    assert load(flags, {}).web_listen_address == (ListenAddress("127.0.0.1", 1), UnixAddress("/run/vip.sock"))


# --- mistakes ---------------------------------------------------------------------------------------------------------

BAD_VALUES = [
    ("web.listen-address", "10150", "write :10150"),
    ("web.listen-address", "::1:80", "brackets"),
    ("web.listen-address", "unix:vip.sock", "absolute path"),
    ("web.listen-address", "http://127.0.0.1:10150", "no URL"),
    ("web.listen-address", "unix:/run/", "absolute path"),
    ("web.listen-address", "[1.2.3.4]:80", "accepted: host:port"),
    ("web.listen-address", "host:http", "0 to 65535"),
    ("web.listen-address", "a b:1", "accepted: host:port"),
    ("log.level", "loud", "debug, info, warning, error"),
    ("log.level", "INFO", "debug, info, warning, error"),
    ("log.format", "xml", "logfmt, json"),
    ("capture.interface", "a/b", "eth0"),
    ("capture.interface", "sixteen-letters-", "eth0"),
    ("capture.buffer", "8388608", "write 8388608B"),
    ("capture.buffer", "8MB", "8MiB"),
    ("capture.buffer", "1KiB", "out of range"),
    ("kubernetes.enabled", "maybe", "true or false"),
    ("services.watch", "ingress-expose", "no namespace"),
    ("services.watch", "kube-system/Ingress", "lower-case"),
    ("services.watch", "a/b/c", "lower-case"),
    ("services.watch", "-a/b", "lower-case"),
    ("services.watch", "a" * 64 + "/b", "lower-case"),
    ("services.relist-interval", "300", "write 300s"),
    ("services.relist-interval", "0s", "out of range"),
    ("intent.stale-after", "2 minutes", "1m30s"),
    ("vip.period", "3", "write 3s"),
    ("vip.period", "none", "auto"),
    ("vip.period", "1ms", "out of range"),
    ("vip.settle-time", "5y", "out of range"),
    ("observer.name", "a b", "no space"),
    ("metrics.detail", "some", "full, summary"),
    ("events.history", "0", "1 to 100000"),
    ("events.history", "1e3", "1 to 100000"),
]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("web.listen-address", f"[{'1' * 5000}]:1"),
        ("control-plane.address", "x" * 5000),
        ("nodes", f"a={'0' * 5000}"),
        ("vip.settle-time", "1" * 5000),
        ("host.enabled", "x" * 5000),
    ],
)
def test_an_endless_value_is_not_repeated_whole(key: str, text: str) -> None:
    """Neither as the value nor in the hint on it."""
    with pytest.raises(ConfigError) as raised:
        load([f"--{key}={text}"], {})
    assert len(raised.value.problems) == 1
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(("key", "text", "said"), BAD_VALUES)
def test_a_bad_value_is_one_line_with_source_key_value_and_what_is_accepted(
    key: str, text: str, said: str, file: Path
) -> None:
    variable = "VIP_EXPORTER_" + re.sub("[.-]", "_", key).upper()
    group, leaf = key.split(".")
    file.write_text(f"# first line\n{group}:\n  {leaf}: '{text}'\n")
    cases = [
        ([], {variable: text}, f"{variable} ({key}): bad value {text!r}"),
        ([f"--config.file={file}"], {}, f"{file}:3: {key}: bad value {text!r}"),
    ]
    if key != "kubernetes.enabled":
        cases.append(([f"--{key}={text}"], {}, f"--{key}: bad value {text!r}"))
    for argv, environ, start in cases:
        (line,) = problems(argv, environ)
        assert line.startswith(start)
        assert "; accepted: " in line
        assert said in line


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("log:\n  levle: info\n", 2, "log.levle: unknown key; did you mean log.level?"),
        ("level: info\n", 1, "level: unknown key; did you mean log.level?"),
        ("web:\n  listen_address: ':1'\n", 2, "web.listen_address: unknown key; did you mean web.listen-address?"),
        ("qqqq: 1\n", 1, "qqqq: unknown key; see --help"),
        ('"a\\nb": 1\n', 1, "a\\nb: unknown key"),
        ("log: {level: info}\nweb: {}\nlog: {}\n", 3, "log: already set in line 1"),
        ("log:\n  level: info\n  level: debug\n", 3, "log.level: already set in line 2"),
        ("log:\n  level: info\nlog.level: debug\n", 3, "log.level: already set in line 2"),
        ("- a\n", 1, "the file: a list; accepted: a map"),
        ("just text\n", 1, "the file: the value 'just text'; accepted: a map"),
        ("log: debug\n", 1, "log: the value 'debug'; accepted: a map"),
        ("vip: [1]\n", 1, "vip: a list; accepted: a map"),
        ("log:\n  level: [info]\n", 2, "log.level: a list; accepted: one of debug"),
        ("log:\n  level: {a: b}\n", 2, "log.level: a map; accepted: one of debug"),
        ("capture:\n  interface: [[a]]\n", 2, "capture.interface: a list; accepted: the name"),
        ("capture:\n  interface: [a, ~]\n", 2, "capture.interface: the value '~'; accepted"),
        ("? [a]\n: b\n", 1, "a list as a key"),
        ("config: {file: x}\n", 1, "config.file: names this file"),
        ("log: {level: info\nweb: x", 2, "not valid YAML"),
        ("log: *nowhere\n", 1, "not valid YAML"),
        ("log: {}\n---\nweb: {}\n", 2, "not valid YAML"),
    ],
)
def test_mistakes_of_form_in_the_file(file: Path, content: str, line: int, said: str) -> None:
    file.write_text(content)
    (problem,) = problems([f"--config.file={file}"])
    assert problem.startswith(f"{file}:{line}: ")
    assert said in problem


def test_a_file_may_use_anchors_even_ones_that_contain_themselves(file: Path) -> None:
    file.write_text("log: &log\n  level: debug\n  x: *log\n")
    (problem,) = problems([f"--config.file={file}"])
    assert "log.x: unknown key" in problem


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"log: \x00", "not valid YAML"),
        (b"[" * 50_000, "not valid YAML"),
        (b"# " + b"x" * (1 << 20), "larger than"),
    ],
)
def test_files_that_are_no_configuration(file: Path, content: bytes, said: str) -> None:
    file.write_bytes(content)
    (problem,) = problems([f"--config.file={file}"])
    assert problem.startswith(str(file))
    assert said in problem


@pytest.mark.parametrize(
    ("path", "said"), [("/nonexistent/x.yaml", "No such file"), ("/", "Is a directory"), ("", "bad value ''")]
)
def test_files_that_cannot_be_read(path: str, said: str) -> None:
    (problem,) = problems([f"--config.file={path}"])
    assert said in problem


def test_everything_wrong_is_reported_at_once(file: Path) -> None:
    file.write_text("log: {level: loud}\nvip: {period: x, settle-time: y}\n")
    argv = [
        f"--config.file={file}",
        "--log.level=louder",
        "--events.history=x",
        "--services.watch=a",
        "--services.watch=b",
    ]
    lines = problems(argv, {"VIP_EXPORTER_LOG_FORMAT": "x"})
    keys = [re.search(r"[a-z]+\.[a-z-]+(?=\)?: bad value)", line) for line in lines]
    assert [match and match[0] for match in keys] == [
        "log.level",
        "vip.period",
        "vip.settle-time",
        "log.format",
        "log.level",
        "services.watch",
        "services.watch",
        "events.history",
    ]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--log.levle=debug"], "--log.levle: unknown flag; did you mean --log.level?"),
        (["--log.lev=debug"], "--log.lev: unknown flag; did you mean --log.level?"),
        (["--log.level"], "--log.level: expected one argument"),
        (["--zzz"], "--zzz: unknown flag; see --help"),
        (["--capture.buffer=--"], "--capture.buffer: bad value '--'"),
        (["what"], "unexpected argument 'what'"),
        (["--kubernetes.enabled=yes"], "--kubernetes.enabled"),
    ],
)
def test_mistakes_of_usage(argv: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(argv, {})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("argv", "environ", "said"),
    [
        (["--log.level=info", "--log.level=info"], {}, "--log.level: given 2 times; accepted: once"),
        (["--kubernetes.enabled", "--no-kubernetes.enabled"], {}, "--kubernetes.enabled: given 2 times"),
        ([], {"VIP_EXPORTER_LOG_LEVL": "x"}, "did you mean VIP_EXPORTER_LOG_LEVEL?"),
        ([], {"VIP_EXPORTER_CAPTURE_INTERFACE": "a,,b"}, "bad value ''"),
        ([], {"VIP_EXPORTER_LOG_LEVEL": "\x1b[31m\n\u2028" + "x" * 999}, r"'\x1b[31m\n\u2028x"),
    ],
)
def test_mistakes_of_other_kinds(argv: list[str], environ: dict[str, str], said: str) -> None:
    (line,) = problems(argv, environ)
    assert said in line
    assert len(line) < 300


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    """A reload would never end, and nothing could be stopped any more."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert load([f"--config.file={pipe}"], {"NODE_NAME": "n"}) == Config(config_file=pipe, observer_name="n")
    with pytest.raises(IntentFileError, match="is empty"):
        read_intent_file(pipe)


def test_a_pipe_that_somebody_writes_to_is_read() -> None:
    """As a shell's `<(…)` gives one."""
    reading, writing = os.pipe()
    writer = Timer(0.1, lambda: (os.write(writing, b"log: {level: debug}"), os.close(writing)))
    writer.start()
    assert load([f"--config.file=/dev/fd/{reading}"], {}).log_level == "debug"
    writer.join()
    os.close(reading)


# --- reload, help, reference ------------------------------------------------------------------------------------------


def test_a_reload_applies_what_it_can_and_names_what_must_wait(file: Path) -> None:
    file.write_text("log: {level: info}\n")
    given = arguments(f"--config.file={file}")
    before = load([f"--config.file={file}"], {})
    file.write_text("log: {level: debug}\nweb: {listen-address: ':1'}\nmetrics: {detail: full}\n")
    after = reload(before, given, {})
    assert after.changed == ("log.level",)
    assert after.needs_restart == ("web.listen-address",)
    assert after.config.log_level == "debug"
    assert after.config.web_listen_address == before.web_listen_address
    file.write_text("log: {level: loud}\n")
    with pytest.raises(ConfigError):
        reload(before, given, {})


def test_a_reload_of_the_same_changes_nothing(file: Path) -> None:
    file.write_text("log: {level: debug}\n")
    before = load([f"--config.file={file}"], {})
    after = reload(before, arguments(f"--config.file={file}"), {})
    assert (after.config, after.changed, after.needs_restart) == (before, (), ())


def test_flags_that_are_no_settings() -> None:
    given = arguments("--config.check", "--version")
    assert (given.config_check, given.version) == (True, True)
    assert (arguments().config_check, arguments().version) == (False, False)


def test_help_and_reference_name_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load(["--help"], {})
    assert caught.value.code == 0
    shown = re.sub(r"\s+", "", capsys.readouterr().out)
    text = reference()
    for setting in SETTINGS:
        assert setting.flag in shown
        assert setting.variable in shown
        for part in (
            f"## `{setting.key}`",
            f"`{setting.flag}`",
            f"`{setting.variable}`",
            setting.help,
            setting.kind.accepts,
        ):
            assert part in text
    assert text.endswith("|\n")


def test_the_examples_in_the_reference_are_accepted(file: Path) -> None:
    examples = re.findall(r"^\| File \| `([^`…]+)`", reference(), re.MULTILINE)
    assert len(examples) == sum(bool(setting.default) for setting in SETTINGS)
    for example in examples:
        file.write_text(example)
        load([f"--config.file={file}"], {})


def test_the_reference_shows_each_setting_as_yaml() -> None:
    """What stands in the row "File" can be put into one."""
    for setting in SETTINGS:
        section = reference().partition(f"## `{setting.key}`")[2]
        shown = section.partition("| File | ")[2].partition(" |")[0].removesuffix(", or a list")
        if setting.key == "config.file":
            assert shown == "—"
            continue
        inner = yaml.safe_load(shown.strip("`"))
        for level in setting.key.split("."):
            inner = inner[level]
        assert not isinstance(inner, dict)
