from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from veln_hook.errors import PolicyError
from veln_hook.model import Confidence, Decision, Severity
from veln_hook.policy.loading import validate_file
from veln_hook.policy.switch import switch_state

PYPI = "https://pypi.org/simple/"
SHA = "ab" * 32


def fails(machine, **layers):
    with pytest.raises(PolicyError) as raised:
        machine.write(**layers).load()
    return raised.value


def test_the_file_of_the_design_loads(machine):
    policy = machine.write(
        user=f"""
        [cooling]
        min_age = "2h"
        min_observations = 0
        on_hold = "fallback"
        missing_upload_time = "first-seen"
        exempt = ["acme-*"]
        [cooling.projects]
        litellm = "3 days"
        [decisions]
        critical = "block"
        high = {{ high = "hold", medium = "hold", low = "warn" }}
        medium = "warn"
        low = "allow"
        [signals.dns-exfiltration]
        enabled = true
        [approvals]
        accept = "local"
        [[indexes]]
        url = "https://pypi.org/simple/"
        [[exceptions]]
        sha256 = "{SHA.upper()}"
        reason = "we wrote it"
        expires = 2027-01-01
        [sandbox]
        builds = "auto"
        allow_hosts = []
        [store]
        url = ""
        [plugins]
        enable = []
        """
    ).load()
    assert policy.min_age_for("litellm", "1", PYPI) == (timedelta(days=3), "cooling.projects.litellm", "user")
    assert policy.min_age_for("acme-x", "1", PYPI).key == "cooling.exempt"
    (exception,) = policy.exceptions
    assert (exception.sha256, exception.expires) == (SHA, datetime(2027, 1, 1, tzinfo=timezone.utc))
    assert policy.origin("decisions.high.low") == "user"
    assert [(layer.name, layer.present) for layer in policy.files] == [
        ("system", False), ("user", True), ("environment", False), ("project", False),
    ]  # fmt: skip


def test_the_lowest_layer_wins_and_is_named(machine):
    machine.write(
        system='[cooling]\nmin_age = "1 day"\non_hold = "refuse"\n', user='[cooling]\nmin_age = "5h"\n'
    )
    policy = machine.load()
    assert (policy.cooling.min_age, policy.origin("cooling.min_age")) == (timedelta(hours=5), "user")
    assert (policy.cooling.on_hold, policy.origin("cooling.on_hold")) == ("refuse", "system")
    policy = machine.load({"VELN_HOOK_COOLING_MIN_AGE": "4h"})
    assert (policy.cooling.min_age, policy.origin("cooling.min_age")) == (timedelta(hours=4), "variable")
    policy = machine.load({"VELN_HOOK_COOLING_MIN_AGE": "4h"}, {"cooling.min_age": "0"})
    assert (policy.cooling.min_age, policy.origin("cooling.min_age")) == (timedelta(), "command line")


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("[cooling]\nmin_ages = '2h'", 2, "cooling.min_ages", 'did you mean "min_age"'),
        ("\n\n[coolin]\nmin_age = '2h'", 3, "coolin", 'did you mean "cooling"'),
        ("[cooling]\n\nmin_age = 'soon'", 3, "cooling.min_age", "not a duration"),
        ("[cooling]\nmin_age = 2", 2, "cooling.min_age", "unit is missing"),
        ("[cooling]\nmin_age = nan", 2, "cooling.min_age", "not a duration"),
        ("[cooling]\nmin_age.x = '2h'", 2, "cooling.min_age", "not a duration"),
        ("cooling = 3", 1, "cooling", "must be a table"),
        ("[cooling]\nmin_observations = true", 2, "cooling.min_observations", "whole number"),
        ("[cooling]\nmin_observations = -1", 2, "cooling.min_observations", "whole number"),
        ("[cooling]\non_hold = 'x'", 2, "cooling.on_hold", '"fallback", "refuse"'),
        ("[cooling]\nexempt = 'acme-*'", 2, "cooling.exempt", "must be a list"),
        ("[cooling]\nexempt = [\n'foo',\n'[a]']", 2, "cooling.exempt", "not a project pattern"),
        ("[cooling.projects]\n'acme-*' = '2h'", 2, "cooling.projects.acme-*", "globs belong"),
        ("[cooling.projects]\nFoo_Bar = '2h'\nfoo-bar = '3h'", 3, "cooling.projects.foo-bar", "same project"),
        ("[decisions]\nhigh = 'HOLD'", 2, "decisions.high", "must be one of"),
        ("[decisions.high]\nmiddle = 'hold'", 2, "decisions.high.middle", "unknown key"),
        ("[decisions]\nawful = 'hold'", 2, "decisions.awful", "unknown key"),
        ("[signals.x]\nenabled = 'no'", 2, "signals.x.enabled", "true or false"),
        ("[signals]\nx = false", 2, "signals.x", "must be a table"),
        ("[signals.cooling]\nenabled = false", 2, "signals.cooling.enabled", "min_age"),
        ("[signals.Dns]\nenabled = false", 2, "signals.Dns.enabled", "lower-case"),
        ("[indexes]\nurl = 'https://x/'", 1, "indexes", "[[indexes]]"),
        ("[[indexes]]\nurl = 'https://x/'\n[[indexes]]\nmin_age = '1h'", 3, "indexes", "'url' is missing"),
        ("[[indexes]]\nurl = 'https://x/'\nmin_age = 'y'", 3, "indexes.min_age", "not a duration"),
        ("[[indexes]]\nurl = 'x'", 2, "indexes.url", "URL of an index"),
        ("[[indexes]]\nurl = 'https://x/'\nupstraem = ''", 3, "indexes.upstraem", 'did you mean "upstream"'),
        ("[[indexes]]\nurl = 'https://x/a'\n[[indexes]]\nurl = 'https://X/a/'", 3, "indexes", "entry before it"),
        ("[[exceptions]]\nsha256 = 'ab'", 2, "exceptions.sha256", "64 hexadecimal"),
        (f"[[exceptions]]\nsha256 = '{SHA}'\nreason = ' '\n", 3, "exceptions.reason", "empty"),
        (f"[[exceptions]]\nsha256 = '{SHA}'\nreason = 'x'\n", 1, "exceptions", "'expires' is missing"),
        (f"[[exceptions]]\nsha256 = '{SHA}'\nreason = 'x'\nexpires = '2027-01-01'", 4, "exceptions.expires", "without quotes"),
        (f"[[exceptions]]\nsha256 = '{SHA}'\nreason = 'x'\nexpires = 2027-01-01T00:00:00", 4, "exceptions.expires", "offset"),
        (f"[[exceptions]]\nsha256 = '{SHA}'\nreason = 'x'\nexpires = 0001-01-01T00:00:00+23:00", 4, "exceptions.expires", "calendar"),
        ("[sandbox]\nallow_hosts = ['https://x/']", 2, "sandbox.allow_hosts", "no URL"),
        ("[store]\nurl = 'mysql://secret@x'", 2, "store.url", "postgresql://"),
        ("[store]\ntimeout = '0'", 2, "store.timeout", "longer than nothing"),
        ("[store]\ntimeout = '2 min'", 2, "store.timeout", "at most a minute"),
        ("[store]\ntimeout = 3", 2, "store.timeout", "unit is missing"),
        ("[store]\nunreachable = 'ignore'", 2, "store.unreachable", '"local", "hold"'),
        ("[lock]\nkeys = ['coolin']", 2, "lock.keys", "unknown key"),
        ("switch = 'off'", 1, "switch", "unknown key"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_placed(machine, text, line, key, words):
    error = fails(machine, user=text)
    assert (error.line, error.key) == (line, key)
    assert words in str(error)
    assert str(error).startswith(f"{machine.sources.user}:{line}: ")
    assert "secret" not in str(error)


def test_validate_file_tells_everything_by_line(machine):
    machine.write(user="[store]\nurl = 3\n[cooling]\nmin_age = 'x'\nwrong = 1\n[[indexes]]\nurl = 'x'\n")
    assert [error.line for error in validate_file(machine.sources.user, "user")] == [2, 4, 5, 7]
    assert validate_file(machine.root / "absent", "user") == []
    machine.write(user="[broken")
    assert [error.line for error in validate_file(machine.sources.user, "user")] == [1]
    machine.write(project="[store]\nurl = 3\n[tool.veln-hook.store]\nurl = ''\n")
    assert [error.line for error in validate_file(machine.sources.project, "project")] == [4]


@pytest.mark.parametrize(
    "text",
    [
        "[store]\nurl = ''",
        "[plugins]\nenable = []",
        "[sandbox]\nallow_hosts = []",
        "[approvals]\naccept = 'none'",
        "[lock]\nkeys = ['*']",
        "[[indexes]]\nurl = 'https://pypi.org/simple/'\nmin_age = '0'",
        f"[[exceptions]]\nsha256 = '{SHA}'\nreason = 'x'\nexpires = 2027-01-01",
    ],
)
def test_keys_without_an_order_are_errors_in_guest_files(machine, text):
    assert "may not stand in the environment's file" in str(fails(machine, environment=text))
    (machine.sources.environment).unlink()
    assert machine.write(user=text).load() is not None
    (machine.sources.user).unlink()
    nested = (
        text.replace("[[", "[[tool.veln-hook.") if "[[" in text else text.replace("[", "[tool.veln-hook.", 1)
    )
    assert "may not stand in the project's file" in str(fails(machine, project=nested))


@pytest.mark.parametrize(
    ("lock", "user", "key"),
    [
        ("cooling.min_age", "[cooling]\nmin_age = '1h'", "cooling.min_age"),
        ("cooling", "[cooling]\nmin_age = '1h'", "cooling.min_age"),
        ("cooling.*", "[cooling]\non_hold = 'fallback'", "cooling.on_hold"),
        ("*", "[cooling]\nmin_age = '1h'", "cooling.min_age"),
        ("cooling.min_age", "[cooling]\nexempt = ['*']", "cooling.exempt"),
        ("cooling.min_age", "[cooling.projects]\nFoo_Bar = '1h'", "cooling.projects.foo-bar"),
        # the mirror below is cooled for 2 days, and a project's entry wins over its index's
        ("cooling.min_age", "[cooling.projects]\nfoo = '30h'", "cooling.projects.foo"),
        ("cooling.min_age", "[[indexes]]\nurl = 'https://other.example/'\nmin_age = '0'", "indexes"),
        # a more specific entry without an age falls back to the global one, which is shorter
        ("cooling.min_age", "[[indexes]]\nurl = 'https://mirror.example/simple/foo/'", "indexes"),
        ("cooling.min_age", "[[indexes]]\nurl = 'https://other.example/'\nupstream = 'https://evil.example/'", "indexes"),
        ("cooling.missing_upload_time", "[[indexes]]\nurl = 'https://o.example/'\nmissing_upload_time = 'allow'", "indexes"),
        ("decisions.high", "[decisions]\nhigh = 'warn'", "decisions.high.medium"),
        ("decisions.high.high", "[decisions.high]\nhigh = 'warn'", "decisions.high.high"),
        ("decisions", "[signals.dns-exfiltration]\nenabled = false", "signals.dns-exfiltration.enabled"),
        ("decisions.high", "[signals.dns-exfiltration]\nseverity = 'low'", "signals.dns-exfiltration.severity"),
        ("signals", "[signals.x]\nenabled = false", "signals.x.enabled"),
        ("approvals", "[approvals]\naccept = 'local'", "approvals.accept"),
        ("exceptions", f"[[exceptions]]\nsha256 = '{SHA}'\nreason = 'x'\nexpires = 2027-01-01", "exceptions"),
        ("indexes", "[[indexes]]\nurl = 'https://o.example/'\nmin_age = '9 days'", "indexes"),
        ("sandbox", "[sandbox]\nbuilds = 'off'", "sandbox.builds"),
        ("sandbox", "[sandbox]\nallow_hosts = ['x.example']", "sandbox.allow_hosts"),
        ("store.url", "[store]\nurl = 'postgresql://mine/x'", "store.url"),
        ("store.url", "[store]\nunreachable = 'local'", "store.unreachable"),
        ("store", "[store]\ntimeout = '0.1 s'", "store.timeout"),
        ("plugins.enable", "[plugins]\nenable = ['mine']", "plugins.enable"),
    ],
)  # fmt: skip
def test_what_a_lock_forbids(machine, lock, user, key):
    system = """
    [cooling]
    min_age = "1 day"
    on_hold = "refuse"
    [approvals]
    accept = "shared"
    [[indexes]]
    url = "https://mirror.example/simple/"
    min_age = "2 days"
    """
    machine.write(system=system, user=user).load()  # without the lock it may
    error = fails(machine, system=f"{system}\n[lock]\nkeys = ['{lock}']", user=user)
    assert "locked by the system policy" in str(error)
    assert (error.path, error.key) == (str(machine.sources.user), key)
    assert error.line is not None


def test_stricter_is_allowed_whatever_is_locked(machine):
    policy = machine.write(
        system="[lock]\nkeys = ['*']",
        user="[cooling]\nmin_age = '3h'\nexempt = []\n[cooling.projects]\nfoo = '4h'\n[decisions]\nlow = 'warn'\n"
        "[approvals]\naccept = 'none'\n[sandbox]\nbuilds = 'require'\n[signals.x]\nseverity = 'critical'\n",
    ).load({"VELN_HOOK_COOLING_MIN_AGE": "5h"})
    assert policy.cooling.min_age == timedelta(hours=5)
    assert policy.approvals_accept == "none"


@pytest.mark.parametrize("layer", ["system", "user"])
def test_a_lock_holds_for_variables_and_the_command_line(machine, layer):
    machine.write(**{layer: "[lock]\nkeys = ['cooling.min_age', 'switch']"})
    with pytest.raises(PolicyError, match=f"locked by the {layer} policy") as raised:
        machine.load({"VELN_HOOK_COOLING_MIN_AGE": "1h"})
    assert raised.value.path == "environment"
    with pytest.raises(PolicyError, match=f"locked by the {layer} policy"):
        machine.load({}, {"cooling.projects.foo": "1h"})
    state = switch_state({"VELN_HOOK": "off"}, machine.load())
    assert state == (False, True, layer)


def test_a_lock_does_not_bind_its_own_layer(machine):
    policy = machine.write(system="[lock]\nkeys = ['*']\n[cooling]\nmin_age = '0'\n").load()
    assert policy.cooling.min_age == timedelta()


def test_layers_add_up_indexes_and_exceptions(machine):
    entry = "[[exceptions]]\nsha256 = '{}'\nreason = '{}'\nexpires = 2027-01-01\n"
    policy = machine.write(
        system="[[indexes]]\nurl = 'https://a.example/'\nmin_age = '1d'\n" + entry.format("a" * 64, "x"),
        user="[[indexes]]\nurl = 'https://A.example'\nmin_age = '1h'\n[[indexes]]\nurl = 'https://b.example/'\n"
        + entry.format("b" * 64, "y"),
    ).load()
    assert [index.url for index in policy.indexes] == ["https://A.example", "https://b.example/"]
    assert policy.min_age_for("x", "1", "https://a.example/") == (
        timedelta(hours=1),
        "indexes.min_age",
        "user",
    )
    assert [exception.reason for exception in policy.exceptions] == ["x", "y"]


@pytest.mark.parametrize("layer", ["project", "environment"])
@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("[H.cooling]\nmin_age = '0'", "cooling.min_age", "0 s"),
        ("[H.cooling]\nexempt = ['mine', 'acme-*']", "cooling.exempt", "mine, acme-*"),
        ("[H.cooling]\nmissing_upload_time = 'allow'", "cooling.missing_upload_time", "allow"),
        ("[H.cooling.projects]\nFoo_Bar = '119 min'", "cooling.projects.foo-bar", "1 h 59 min"),
        ("[H.cooling.projects]\n'LiteLLM' = '2 days'", "cooling.projects.litellm", "2 days"),
        ("[H.decisions]\nlow = 'allow'\nhigh.high = 'warn'", "decisions.high.high", "warn"),
        ("[H.signals.x]\nenabled = false", "signals.x.enabled", "false"),
        ("[H.signals.x]\nseverity = 'medium'", "signals.x.severity", "medium"),
        ("[H.sandbox]\nbuilds = 'off'", "sandbox.builds", "off"),
    ],
)
def test_a_guest_file_that_loosens_is_passed_over_and_told(machine, layer, text, key, value):
    machine.write(user="[cooling]\nexempt = ['acme-*']\n[cooling.projects]\nlitellm = '3 days'")
    before = machine.load()
    prefix = "tool.veln-hook." if layer == "project" else ""
    policy = machine.write(**{layer: text.replace("H.", prefix)}).load()
    (ignored,) = policy.ignored
    assert (ignored.key, ignored.value, ignored.layer) == (key, value, layer)
    assert ignored.path == str(getattr(machine.sources, layer))
    assert ignored.line in (2, 3)
    assert "can't loosen" in ignored.reason
    changed = {"ignored", "files"}
    unchanged = {name: part for name, part in policy.to_dict().items() if name not in changed}
    assert unchanged == {name: part for name, part in before.to_dict().items() if name not in changed}


def test_a_guest_file_that_loosens_a_locked_key_is_passed_over_too(machine):
    machine.write(system="[lock]\nkeys = ['*']", project="[tool.veln-hook.cooling]\nmin_age = '0'")
    policy = machine.load()
    assert policy.cooling.min_age == timedelta(hours=2)
    assert len(policy.ignored) == 1


def test_a_guest_file_tightens(machine):
    policy = machine.write(
        user="[cooling]\nexempt = ['acme-*', 'x']\n[signals.y]\nenabled = false",
        project="""
        [tool.veln-hook.cooling]
        min_age = "1 day"
        on_hold = "refuse"
        missing_upload_time = "hold"
        exempt = ["acme-*"]
        min_observations = 3
        [tool.veln-hook.cooling.projects]
        Foo_Bar = "9 days"
        [tool.veln-hook.decisions]
        high = "block"
        [tool.veln-hook.signals]
        x.severity = "high"
        y.enabled = true
        [tool.veln-hook.sandbox]
        builds = "require"
        """,
    ).load()
    assert policy.ignored == ()
    assert policy.min_age_for("foo.bar", "1", PYPI) == (
        timedelta(days=9),
        "cooling.projects.foo-bar",
        "project",
    )
    assert policy.min_age_for("other", "1", PYPI) == (timedelta(days=1), "cooling.min_age", "project")
    assert policy.cooling.exempt == ("acme-*",)
    assert (policy.cooling.on_hold, policy.cooling.min_observations) == ("refuse", 3)
    assert policy.missing_upload_time_for(PYPI) == ("hold", "cooling.missing_upload_time", "project")
    assert policy.decisions.decision(Severity.HIGH, Confidence.LOW) is Decision.BLOCK
    assert policy.signal("x").at_least is Severity.HIGH
    assert policy.signal("y").enabled
    assert policy.sandbox.builds == "require"


def test_a_floor_does_not_undercut_what_a_variable_or_an_index_asks_for(machine):
    machine.write(
        user="[[indexes]]\nurl = 'https://mirror.example/'\nmin_age = '7 days'",
        project="[tool.veln-hook.cooling.projects]\nfoo = '3 days'",
    )
    policy = machine.load({"VELN_HOOK_COOLING_MIN_AGE": "10 days"})
    assert policy.min_age_for("foo", "1", PYPI) == (timedelta(days=10), "cooling.min_age", "variable")
    assert machine.load().min_age_for("foo", "1", PYPI).min_age == timedelta(days=3)
    assert machine.load().min_age_for("foo", "1", "https://mirror.example/").min_age == timedelta(days=7)


def test_the_command_line_lifts_a_projects_floor(machine):
    machine.write(
        project="[tool.veln-hook.cooling.projects]\nfoo = '3 days'\n[tool.veln-hook.signals.x]\nseverity='high'"
    )
    policy = machine.load({}, {"cooling.projects.foo": "1h", "signals.x.severity": "low"})
    assert policy.min_age_for("foo", "1", PYPI).min_age == timedelta(hours=1)
    assert (policy.signal("x").severity, policy.signal("x").at_least) == (Severity.LOW, None)


def test_the_variables(machine):
    policy = machine.load(
        {
            "VELN_HOOK_COOLING_MIN_AGE": "3 days",
            "VELN_HOOK_COOLING_MIN_OBSERVATIONS": "4",
            "VELN_HOOK_COOLING_ON_HOLD": "refuse",
            "VELN_HOOK_COOLING_MISSING_UPLOAD_TIME": "hold",
            "VELN_HOOK_COOLING_EXEMPT": "acme-*, foo==1",
            "VELN_HOOK_SANDBOX_BUILDS": "off",
            "VELN_HOOK_STORE_URL": "postgresql://db/x",
            "VELN_HOOK": "off",
            "VELN_HOOK_SOMETHING": "else",
            "VELN_HOOKS_COOLING_X": "not ours",
        }
    )
    assert policy.cooling.min_age == timedelta(days=3)
    assert (policy.cooling.min_observations, policy.cooling.on_hold) == (4, "refuse")
    assert policy.cooling.missing_upload_time == "hold"
    assert policy.cooling.exempt == ("acme-*", "foo==1")
    assert (policy.sandbox.builds, policy.store_url) == ("off", "postgresql://db/x")
    assert machine.load({"VELN_HOOK_COOLING_MIN_AGE": " "}).origin("cooling.min_age") == "default"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("VELN_HOOK_COOLING_MIN_AGES", "1h", "did you mean VELN_HOOK_COOLING_MIN_AGE"),
        ("VELN_HOOK_COOLING_PROJECTS", "1h", "no such variable"),
        ("VELN_HOOK_DECISIONS_HIGH", "allow", "no such variable"),
        ("VELN_HOOK_SIGNALS_X_ENABLED", "false", "no such variable"),
        ("VELN_HOOK_LOCK_KEYS", "", "no such variable"),
        ("VELN_HOOK_COOLING_MIN_AGE", "2", "unit is missing"),
        ("VELN_HOOK_COOLING_MIN_OBSERVATIONS", "many", "whole number"),
        ("VELN_HOOK_COOLING_MIN_OBSERVATIONS", "9" * 5000, "whole number"),
    ],
)
def test_a_wrong_variable_is_named(machine, name, value, words):
    with pytest.raises(PolicyError, match=words) as raised:
        machine.load({name: value})
    assert (raised.value.path, raised.value.key, raised.value.line) == ("environment", name, None)


def test_the_command_line(machine):
    policy = machine.load(
        {},
        {
            "cooling.projects.Zope.Interface": "3 days",
            "decisions.high": "block",
            "decisions.high.low": "hold",
            "signals.x.enabled": "false",
            "plugins.enable": "a,b",
            "approvals.accept": "none",
        },
    )
    assert policy.cooling.projects == {"zope-interface": timedelta(days=3)}
    assert [policy.decisions.decision(Severity.HIGH, c) for c in Confidence] == [2, 3, 3]
    assert policy.origin("decisions.high.low") == "command line"
    assert not policy.signal("x").enabled
    assert policy.plugins == ("a", "b")


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("cooling.min_ages", "1h", "did you mean"),
        ("cooling", "1h", "can't be set on the command line"),
        ("indexes", "x", "can't be set on the command line"),
        ("exceptions", "x", "can't be set on the command line"),
        ("lock.keys", "*", "can't be set on the command line"),
        ("cooling.min_age", "x", "not a duration"),
        ("signals.x.enabled", "maybe", "true or false"),
        ("cooling.projects.*", "1h", "not a project name"),
        ("", "x", "unknown key"),
    ],
)
def test_a_wrong_override_is_named(machine, key, text, words):
    with pytest.raises(PolicyError, match=words) as raised:
        machine.load({}, {key: text})
    assert (raised.value.path, raised.value.key) == ("command line", key)


def test_hostile_keys_do_not_reach_the_terminal(machine):
    error = fails(machine, environment='"\\u001b]0;x\\u0007" = 1')
    assert "\x1b" not in str(error)
    error = fails(machine, environment='[cooling]\non_hold = "\\u001b[2J"')
    assert "\x1b" not in str(error)


def test_a_hundred_thousand_keys_deep(machine):
    error = fails(machine, environment="\n" + "a . " * 100_000 + "a = 1")
    assert (error.line, "nested too deeply" in str(error)) == (2, True)
    error = fails(machine, environment="cooling." * 50 + "min_age = 1")
    assert error.key.startswith("cooling.cooling")


def test_a_project_does_not_lower_the_floor_of_the_environment(machine):
    policy = machine.write(
        environment="[cooling.projects]\nfoo = '5 days'\n[signals.x]\nseverity = 'critical'",
        project="[tool.veln-hook.cooling.projects]\nfoo = '3 days'\n[tool.veln-hook.signals.x]\nseverity = 'high'",
    ).load()
    assert policy.min_age_for("foo", "1", PYPI) == (timedelta(days=5), "cooling.projects.foo", "environment")
    assert policy.signal("x").at_least is Severity.CRITICAL
    assert [ignored.layer for ignored in policy.ignored] == ["project", "project"]
