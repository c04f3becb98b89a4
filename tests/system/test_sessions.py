# SPDX-License-Identifier: PostgreSQL
"""Sessions where several do something at once, and the bounds on guessing."""
import concurrent.futures
import http.client
import json
import ssl

import psycopg2
import pytest
import requests

from stack import Backend
from wait import eventually


@pytest.fixture(scope="module", name="backend")
def behind_a_proxy():
    """It believes us what client we speak for, so that each test comes from an address of its own."""
    with Backend(environment={"TRUSTED_PROXIES": "127.0.0.1"}) as running:
        yield running


class Browser:
    def __init__(self, backend, address="198.51.100.1"):
        self.url = f"{backend.url}/api/v1/auth"
        self.backend = backend
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(backend.ca)
        self.session.headers["X-Forwarded-For"] = address

    def login(self, login="admin", password=None):
        return self.session.post(f"{self.url}/login", json={"login": login, "password": password or self.backend.password},
                                 timeout=30)

    def cookie(self, name):
        return {one.name: one.value for one in self.session.cookies}[name]

    def refresh(self):
        return self.session.post(f"{self.url}/refresh", timeout=30)

    def refresh_with(self, token):
        return requests.post(f"{self.url}/refresh", json={"refresh_token": token}, timeout=30, verify=str(self.backend.ca))


def logged_in(backend):
    browser = Browser(backend)
    assert browser.login().status_code == 200
    return browser


def test_tabs_that_refresh_at_once_all_get_the_same_next_token(backend):
    browser = logged_in(backend)
    token = browser.cookie("pga_refresh")
    with concurrent.futures.ThreadPoolExecutor(8) as tabs:
        answers = list(tabs.map(lambda _: browser.refresh_with(token), range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    following = {answer.json()["refresh_token"] for answer in answers}
    assert len(following) == 1 and following != {token}
    assert len({answer.cookies["pga_csrf"] for answer in answers}) == 1
    assert browser.refresh_with(following.pop()).status_code == 200, "the session goes on"


def test_a_token_whose_next_one_was_used_ends_the_session_at_once(backend):
    browser = logged_in(backend)
    first = browser.cookie("pga_refresh")
    second = browser.refresh_with(first).json()["refresh_token"]
    third = browser.refresh_with(second).json()["refresh_token"]
    assert browser.refresh_with(first).status_code == 401
    assert browser.refresh_with(third).status_code == 401


def test_a_token_that_was_used_a_while_ago_ends_the_session(backend):
    browser = logged_in(backend)
    first = browser.cookie("pga_refresh")
    second = browser.refresh_with(first).json()["refresh_token"]
    with psycopg2.connect(backend.store_dsn()) as store, store.cursor() as cursor:
        cursor.execute("update pganalytics.sessions set used_at = used_at - interval '11 seconds' where used_at is not null")
    assert browser.refresh_with(first).status_code == 401
    assert browser.refresh_with(second).status_code == 401


def test_a_logout_ends_what_a_refresh_makes_meanwhile(backend):
    """The lock of the user's row stands for a refresh whose transaction is still open."""
    browser = logged_in(backend)
    token = browser.cookie("pga_refresh")
    store = psycopg2.connect(backend.store_dsn())
    with concurrent.futures.ThreadPoolExecutor(1) as pool, store, store.cursor() as cursor:
        cursor.execute("select user_id from pganalytics.users for no key update")
        logout = pool.submit(lambda: requests.post(f"{browser.url}/logout", json={"refresh_token": token}, timeout=30,
                                                   verify=str(backend.ca)))
        cursor.execute("""
            with chain as (
                update pganalytics.sessions set used_at = now()
                where token_hash = sha256(convert_to(%s, 'UTF8')) returning chain_id, user_id
            )
            insert into pganalytics.sessions (session_id, chain_id, user_id, token_hash, expires_at)
            select gen_random_uuid(), chain_id, user_id, sha256('made meanwhile'), now() + interval '1 hour' from chain
            returning chain_id""", (token,))
        (chain,) = cursor.fetchone()
        with psycopg2.connect(backend.store_dsn()) as other, other.cursor() as watch:
            def waits():
                watch.execute("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
                return watch.fetchone()[0]

            eventually(waits, what="the logout does not wait for the user's row")
        store.commit()
        assert logout.result().status_code == 204
        cursor.execute("select count(*) from pganalytics.sessions where chain_id = %s and revoked_at is null", (chain,))
        assert cursor.fetchone()[0] == 0
    store.close()


def test_scripts_of_a_page_do_not_get_the_refresh_token(backend):
    browser = logged_in(backend)
    token = browser.cookie("pga_refresh")
    answer = browser.refresh()
    assert answer.status_code == 200 and "refresh_token" not in answer.json()
    assert browser.cookie("pga_refresh") != token and browser.cookie("pga_refresh") not in answer.text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_neither_make_nor_use_nor_end_sessions_in_cookies(backend, site):
    browser = logged_in(backend)
    kept = dict(browser.session.cookies)
    theirs = {"Sec-Fetch-Site": site, "Content-Type": "text/plain"}
    body = json.dumps({"login": "admin", "password": backend.password})
    answer = browser.session.post(f"{browser.url}/login", data=body, headers=theirs, timeout=30)
    assert answer.status_code == 200 and not answer.cookies, "a script may log in, for itself"
    assert browser.session.post(f"{browser.url}/refresh", headers=theirs, timeout=30).status_code == 401
    browser.session.post(f"{browser.url}/logout", headers=theirs, timeout=30)
    gone = f"{backend.url}/api/v1/collectors/00000000-0000-0000-0000-000000000000"
    csrf = {"X-CSRF-Token": browser.cookie("pga_csrf")}
    assert browser.session.delete(gone, headers={**theirs, **csrf}, timeout=30).status_code == 403
    assert browser.session.delete(gone, headers={"Sec-Fetch-Site": "same-origin", **csrf}, timeout=30).status_code == 404
    assert dict(browser.session.cookies) == kept
    assert browser.refresh().status_code == 200


def test_guesses_are_counted_for_a_user_however_the_login_is_written(backend):
    backend.command("user", "add", "Guessed", "--role", "viewer", stdin="a-long-password\n")
    spellings = ["guessed", "GUESSED", "Guessed", "gUESSED", "gUeSsEd"] * 2
    for i, login in enumerate(spellings):
        assert Browser(backend, f"203.0.113.{i + 1}").login(login, "wrong-password").status_code == 401
    answer = Browser(backend, "203.0.113.99").login("guesseD", "a-long-password")
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0


def test_guesses_are_counted_for_a_whole_ipv6_network(backend):
    for i in range(10):
        assert Browser(backend, f"2001:db8:1:1::{i + 1}").login(f"nobody-{i}", "wrong-password").status_code == 401
    assert Browser(backend, "2001:db8:1:1:ffff::1").login("nobody", "wrong-password").status_code == 429
    assert Browser(backend, "2001:db8:1:2::1").login("nobody", "wrong-password").status_code == 401


def login_with_headers(backend, login, headers):
    context = ssl.create_default_context(cafile=str(backend.ca))
    connection = http.client.HTTPSConnection("127.0.0.1", backend.port, context=context, timeout=30)
    body = json.dumps({"login": login, "password": "wrong-password"}).encode()
    connection.putrequest("POST", "/api/v1/auth/login")
    for name, value in [*headers, ("Content-Length", str(len(body)))]:
        connection.putheader(name, value)
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_client_cannot_speak_for_another_address_where_the_proxy_adds_a_line(backend):
    """HAProxy's forwardfor adds a header field after the one that the client made up."""
    for i in range(10):
        made_up = [("X-Forwarded-For", f"192.0.2.{i + 1}"), ("X-Forwarded-For", "203.0.113.200")]
        assert login_with_headers(backend, f"no-one-{i}", made_up) == 401
    made_up = [("X-Forwarded-For", "192.0.2.99"), ("X-Forwarded-For", "203.0.113.200")]
    assert login_with_headers(backend, "no-one", made_up) == 429
