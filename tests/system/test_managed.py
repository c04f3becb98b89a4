# SPDX-License-Identifier: PostgreSQL
"""Servers as clouds manage them: roles and settings that exist only there, functions revoked, passwords that a command
gives. Real servers made to look so."""
import pytest

from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from stack import Collector
from wait import eventually

# What tells each service apart, and what its advice says.
CLOUDS = {
    "aws": ({"rds.extensions": "pg_stat_statements"}, ["create role rds_superuser"], "parameter group"),
    "gcp": ({"cloudsql.logical_decoding": "off"}, ["create role cloudsqlsuperuser"], "gcloud sql instances patch"),
    "azure": ({"azure.extensions": "pg_stat_statements"}, ["create role azure_pg_admin"],
              "az postgres flexible-server parameter set"),
}

REVOKED = ["pg_ls_waldir()", "pg_ls_logdir()", "pg_ls_archive_statusdir()", "pg_hba_file_rules()", "pg_control_system()",
           "pg_control_checkpoint()", "pg_control_init()", "pg_control_recovery()"]


@pytest.fixture(scope="module")
def server():
    with PgServer(16, settings={**MONITORED_SETTINGS, "track_io_timing": "off"}, tcp=True,
                  hba=["host all guarded all scram-sha-256"]) as running:
        monitoring_setup(running)
        for function in REVOKED:
            running.execute(f"revoke execute on function {function} from public, pg_monitor")
        running.execute("create role guarded login in role pg_monitor")
        yield running


def dry_run(collector):
    return collector.run("--config", str(collector.config), "--dry-run", check=False)


class NoBackend:
    url = "https://127.0.0.1:1"


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("by", ["role", "setting"])
def test_advice_names_the_way_there(server, cloud, by, tmp_path):
    settings, statements, advice = CLOUDS[cloud]
    collector = Collector(NoBackend(), {"main": server.dsn(user="monitor")}, directory=tmp_path)
    assert "alter system set track_io_timing" in dry_run(collector).stderr
    if by == "setting":
        server.settings.update(settings)
        server.write_settings()
        server.restart()
    else:
        for statement in statements:
            server.execute(statement)
    try:
        server.mark_log()
        done = dry_run(collector)
        assert done.returncode == 0, done.stderr
        assert advice in done.stderr and "alter system" not in done.stderr, done.stderr
        assert " failed: " not in done.stderr and not server.log_errors()
    finally:
        for name in settings:
            server.settings.pop(name, None)
        server.write_settings()
        if by == "setting":
            server.restart()
        else:
            for statement in statements:
                server.execute(statement.replace("create", "drop"))


def test_what_the_settings_say_stands_above_what_is_seen(server, tmp_path):
    collector = Collector(NoBackend(), {}, directory=tmp_path)
    collector.config.write_text(
        f'[collector]\nstate_dir = "{collector.state}"\n[postgres]\nflavour = "gcp"\ndsn = "{server.dsn(user="monitor")}"\n')
    assert "gcloud sql instances patch" in dry_run(collector).stderr
    collector.config.write_text(collector.config.read_text().replace('"gcp"', '"oracle"'))
    done = dry_run(collector)
    assert done.returncode == 2 and "flavour" in done.stderr and "azure" in done.stderr


def guarded(collector, server, command):
    script = collector.directory / "token.sh"
    script.write_text("#!/bin/sh\n" + command)
    script.chmod(0o755)
    collector.config.write_text(
        f'[collector]\nstate_dir = "{collector.state}"\n[postgres]\nhost = "127.0.0.1"\nport = {server.port}\n'
        f'user = "guarded"\npassword_command = ["{script}", "a b", "$HOME"]\n')
    return dry_run(collector)


def test_a_command_gives_the_password(server, tmp_path):
    server.execute("alter role guarded password 'tok en$1'")
    collector = Collector(NoBackend(), {}, directory=tmp_path)
    done = guarded(collector, server, 'echo noise >&2; printf "tok en\\$1\\nsecond line\\n"; [ "$1$2" = \'a b$HOME\' ]\n')
    assert done.returncode == 0 and "cannot be read" not in done.stderr, done.stderr
    cases = {
        "echo topsecret; exit 3\n": "failed, or took more than ten seconds",
        "true\n": "gave no password",
        "echo topsecret\n": "password authentication failed",
    }
    for command, message in cases.items():
        done = guarded(collector, server, command)
        assert message in done.stderr, done.stderr
        assert "topsecret" not in done.stderr + done.stdout
    collector.config.write_text(collector.config.read_text() + 'password = "x"\n')
    done = dry_run(collector)
    assert done.returncode == 2 and "password_command" in done.stderr


def test_the_command_is_asked_at_each_connect(backend, server):
    """A token that changed is taken over without a restart."""
    server.execute("alter role guarded password 'first'")
    collector = Collector(backend, {}, name="rotating")
    collector.register()
    try:
        token, script = collector.directory / "token", collector.directory / "token.sh"
        token.write_text("first\n")
        script.write_text(f"#!/bin/sh\ncat {token}\n")
        script.chmod(0o755)
        collector.config.write_text(
            collector.config.read_text() + f'[[postgres]]\nname = "rotating"\nhost = "127.0.0.1"\nport = {server.port}\n'
            f'user = "guarded"\npassword_command = ["{script}"]\n')
        collector.start()
        api = backend.api()
        eventually(lambda: api.servers()["rotating"]["reachable"])
        server.execute("alter role guarded password 'second'")
        token.write_text("second\n")
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'guarded'")
        eventually(lambda: server.value("select count(*) from pg_stat_activity where usename = 'guarded'") > 0)
        eventually(lambda: api.servers()["rotating"]["reachable"])
        collector.stop()
        collector.check_log()
        assert "second" not in collector.log_text().replace("seconds", "")
    finally:
        collector.remove()
