# SPDX-License-Identifier: PostgreSQL
"""The web interface in Chromium against real programs; the steps are in frontend/e2e/ui.test.mjs."""
import os
import subprocess
import threading

from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from stack import ROOT, Backend, Collector, eventually


def enough_to_see(api):
    """Charts have points and statements have texts."""
    server = api.servers()["main"]
    answer = api.get(f"/servers/{server['id']}/metrics", metric="pg_stat_database.xact_commit,system_cpu.usr", group_by="",
                     **{"from": "-10m"})
    points = [[value for _, value in metric["series"][0]["points"] if value is not None] for metric in answer["metrics"]]
    statements = api.get(f"/servers/{server['id']}/statements")["statements"]
    history = api.get(f"/servers/{server['id']}/activity/history", **{"from": "-10m"})
    return history["classes"] and all(len(values) >= 3 for values in points) and any(row["query"] for row in statements)


def test_the_pages_in_a_browser():
    with PgServer(15, settings=MONITORED_SETTINGS) as server:
        monitoring_setup(server)
        with Backend() as backend, Collector(backend, {"main": server.dsn(user="monitor")}) as collector:
            done = threading.Event()

            def load():  # an active session for the first chart
                connection = server.connect()
                with connection.cursor() as cursor:
                    while not done.is_set():
                        cursor.execute("select count(*) from generate_series(1, 300000)")

            worker = threading.Thread(target=load)
            worker.start()
            try:
                eventually(lambda: enough_to_see(backend.api()), 90, "no readings to show")
                environment = {**os.environ, "API_URL": backend.url, "API_USER": "admin", "API_PASSWORD": backend.password}
                run = subprocess.run(["node", "--test", "e2e/"], cwd=ROOT / "frontend", env=environment, text=True,
                                     capture_output=True, timeout=900, check=False)
            finally:
                done.set()
                worker.join()
            print(run.stdout)
            assert run.returncode == 0, f"{run.stdout}\n{run.stderr}\n{collector.log_tail()}"
