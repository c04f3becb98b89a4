# SPDX-License-Identifier: PostgreSQL
"""Time series against the truth: cases worked out by hand, and random histories against a model that knows every second.

The model is written from docs/decisions/0004-readings.md, not from the SQL.
"""
import datetime
import random

import pytest

from store import DriverError, body, frame

UTC = datetime.timezone.utc


@pytest.fixture(name="base")
def fixture_base():
    """A whole hour, three to four hours ago."""
    now = datetime.datetime.now(UTC)
    return now.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=3)


def at(base, seconds):
    return base + datetime.timedelta(seconds=seconds)


def values(series):
    return [value for _, value in series["points"]]


def push_wal(store, base, readings, column="wal_bytes"):
    """@readings: (second, interval, value, gap); value None: read, but nothing changed."""
    collector = store.add_collector()
    frames = [frame("pg_stat_wal", at(base, second), [column], [] if value is None else [[value]], interval_s=interval,
                    gap=gap) for second, interval, value, gap in readings]
    store.push(body(collector, frames))
    return store.server_id(collector)


# --- counters, by hand ------------------------------------------------------------------------------------------------


def test_an_increase_is_spread_over_the_steps_it_overlaps_and_the_total_is_exact(store, base):
    server = push_wal(store, base, [(90, 60, 600, False), (150, 60, 1200, False)])
    [metric] = store.metrics(server, "pg_stat_wal.wal_bytes", base, at(base, 180), agg="increase")
    [series] = metric["series"]
    # 30..90 has 600, 90..150 has 1200; steps 0..60, 60..120, 120..180
    assert values(series) == [300, 300 + 600, 600]
    assert series["total"] == 1800
    [metric] = store.metrics(server, "pg_stat_wal.wal_bytes", base, at(base, 180))
    # what readings cover: 30, 60 and 30 seconds
    assert values(metric["series"][0]) == [10, 15, 20]
    assert [point[0] for point in metric["series"][0]["points"]] == [int(at(base, s).timestamp() * 1000)
                                                                     for s in (0, 60, 120)]


def test_steps_shorter_than_the_interval_share_its_rate(store, base):
    server = push_wal(store, base, [(60, 60, 600, False)])
    [metric] = store.metrics(server, "pg_stat_wal.wal_bytes", base, at(base, 80), step_s=10)
    assert values(metric["series"][0]) == [10] * 6 + [None] * 2


def test_the_total_counts_readings_that_ended_in_the_range(store, base):
    server = push_wal(store, base, [(60, 60, 1, False), (120, 60, 10, False), (180, 60, 100, False)])
    for start, stop, total in ((0, 180, 111), (60, 180, 110), (59, 120, 11), (0, 119, 1), (61, 119, 0)):
        [metric] = store.metrics(server, "pg_stat_wal.wal_bytes", at(base, start), at(base, stop), group_by="")
        assert metric["series"][0]["total"] == total, (start, stop)


def test_read_but_unchanged_is_zero_and_not_read_is_null(store, base):
    readings = [(60, 60, 600, False), (120, 60, None, False), (180, 60, None, False),
                # away for five minutes, then a new epoch
                (480, 0, None, True), (540, 60, 60, False)]
    server = push_wal(store, base, readings)
    [metric] = store.metrics(server, "pg_stat_wal.wal_bytes", base, at(base, 600))
    assert values(metric["series"][0]) == [10, 0, 0, None, None, None, None, None, 1, None]


def test_after_an_outage_with_the_same_epoch_the_increase_belongs_to_all_of_it(store, base):
    server = push_wal(store, base, [(60, 60, 60, False), (360, 300, 600, False)])
    [metric] = store.metrics(server, "pg_stat_wal.wal_bytes", base, at(base, 360))
    assert values(metric["series"][0]) == [1, 2, 2, 2, 2, 2]


def test_what_moves_nowhere_is_a_line_at_zero_when_taken_together(store, base):
    server = push_wal(store, base, [(60, 60, None, False), (120, 60, None, False)])
    store.sql("insert into pganalytics.series (server_id, family, labels) values (%s, 'pg_stat_wal', '{}')", server)
    [metric] = store.metrics(server, "pg_stat_wal.wal_bytes", base, at(base, 180), group_by="")
    assert [(s["labels"], s["total"], values(s)) for s in metric["series"]] == [({}, 0, [0, 0, None])]
    assert store.metrics(server, "pg_stat_wal.wal_bytes", base, at(base, 180))[0]["series"] == []


def test_a_column_that_the_server_cannot_tell_is_not_zero(store, base):
    server = push_wal(store, base, [(60, 60, 5, False)], column="wal_records")
    [metric] = store.metrics(server, "pg_stat_wal.wal_bytes", base, at(base, 120), group_by="")
    assert metric["series"] == []


def test_labels_choose_groups_sum_and_the_limit_keeps_the_largest(store, base):
    collector = store.add_collector()
    columns = ["datname", "relname", "schemaname", "n_tup_ins"]
    rows = [["a", "t1", "s", 60], ["a", "t2", "s", 120], ["b", "t1", "s", 600], ["b", None, "s", 6]]
    store.push(body(collector, [frame("pg_stat_user_tables", at(base, 60), columns, rows)]))
    server = store.server_id(collector)

    def ask(**options):
        [metric] = store.metrics(server, "pg_stat_user_tables.n_tup_ins", base, at(base, 60), **options)
        return [(s["labels"], s["total"]) for s in metric["series"]], metric["truncated"]

    label = {"schemaname": "s"}
    assert ask(limit=2) == ([({**label, "datname": "b", "relname": "t1"}, 600), ({**label, "datname": "a", "relname": "t2"}, 120)],
                            True)
    assert ask(group_by="datname") == ([({"datname": "b"}, 606), ({"datname": "a"}, 180)], False)
    assert ask(group_by="") == ([({}, 786)], False)
    assert ask(labels={"relname": "t1"}, group_by="datname") == ([({"datname": "b"}, 600), ({"datname": "a"}, 60)], False)
    assert ask(labels={"relname": "t1", "datname": "c"}) == ([], False)
    assert ask(group_by="datname,relname,nothing")[0][0] == ({"datname": "b", "relname": "t1"}, 600)


# --- gauges, by hand --------------------------------------------------------------------------------------------------


def push_gauge(store, base, readings):
    """@readings: (second, {datname: size}, keyframe)."""
    collector = store.add_collector()
    frames = [frame("pg_database_size", at(base, second), ["datname", "size_bytes"],
                    [[name, size] for name, size in rows.items()], keyframe=keyframe) for second, rows, keyframe in readings]
    store.push(body(collector, frames))
    return store.server_id(collector)


def test_a_gauge_holds_until_it_changes_and_averages_by_time(store, base):
    server = push_gauge(store, base, [(0, {"a": 10}, True), (60, {}, False), (90, {"a": 40}, False), (120, {}, False),
                                      (180, {}, False)])
    expected = {"avg": [10, 25, 40], "min": [10, 10, 40], "max": [10, 40, 40], "last": [10, 40, 40]}
    for agg, wanted in expected.items():
        [metric] = store.metrics(server, "pg_database_size.size_bytes", base, at(base, 180), agg=agg)
        assert values(metric["series"][0]) == wanted, agg
        assert metric["series"][0]["total"] is None and metric["kind"] == "gauge"


def test_a_gauge_from_before_the_range_is_carried_into_it(store, base):
    server = push_gauge(store, base, [(0, {"a": 10}, True)] + [(s, {}, False) for s in range(60, 840, 60)])
    [metric] = store.metrics(server, "pg_database_size.size_bytes", at(base, 600), at(base, 720))
    assert values(metric["series"][0]) == [10, 10]


def test_an_object_that_a_keyframe_does_not_show_is_gone(store, base):
    server = push_gauge(store, base, [(0, {"a": 10, "b": 5}, True), (60, {}, False), (120, {"a": 10}, True), (180, {}, False)])
    [metric] = store.metrics(server, "pg_database_size.size_bytes", base, at(base, 240))
    assert {s["labels"]["datname"]: values(s) for s in metric["series"]} == {"a": [10] * 4, "b": [5, 5, None, None]}
    [metric] = store.metrics(server, "pg_database_size.size_bytes", base, at(base, 240), group_by="")
    assert [values(s) for s in metric["series"]] == [[15, 15, 10, 10]]


def test_a_gauge_is_not_known_while_nobody_reads(store, base):
    server = push_gauge(store, base, [(0, {"a": 10}, True), (60, {}, False), (600, {}, False), (660, {}, False)])
    [metric] = store.metrics(server, "pg_database_size.size_bytes", base, at(base, 720))
    # after second 60 nobody reads for longer than twice the interval, until second 600; the value is still unchanged then
    assert values(metric["series"][0]) == [10, 10, 10] + [None] * 7 + [10, 10]


def test_the_maximum_of_a_sum_is_that_of_one_instant(store, base):
    server = push_gauge(store, base, [(0, {"a": 10, "b": 1}, True), (30, {"a": 1, "b": 10}, False), (60, {}, False)])
    [metric] = store.metrics(server, "pg_database_size.size_bytes", base, at(base, 60), agg="max", group_by="")
    assert values(metric["series"][0]) == [11]


# --- what cannot be asked ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric, options, message", [
    ("pg_stat_wal.nothing", {}, 'there is no metric "pg_stat_wal.nothing"'),
    ("pg_stat_wal", {}, "there is no metric"),
    ("pg_stat_wal.wal_bytes.x", {}, "there is no metric"),
    ("pg_stat_database.datname", {}, "there is no metric"),
    ("statement_text.query", {}, "there is no metric"),
    ("pg_stat_wal.wal_bytes; drop table x", {}, "there is no metric"),
    ("pg_stat_wal.wal_bytes", {"agg": "avg"}, 'agg "avg" is not for a counter'),
    ("pg_database_size.size_bytes", {"agg": "rate"}, 'agg "rate" is not for a gauge'),
    ("pg_stat_wal.wal_bytes", {"step_s": 0.001}, "more than 11000 points"),
])
def test_wrong_questions_are_refused_with_the_reason(store, base, metric, options, message):
    server = push_wal(store, base, [(60, 60, 1, False)])
    with pytest.raises(DriverError) as failure:
        store.metrics(server, metric, base, at(base, 60), **options)
    assert failure.value.slug == "parameter_invalid" and message in failure.value.message


def test_a_server_that_is_not_there_is_not_found(store, base):
    with pytest.raises(DriverError) as failure:
        store.metrics(12345, "pg_stat_wal.wal_bytes", base, at(base, 60))
    assert failure.value.slug == "not_found"


# --- random histories -------------------------------------------------------------------------------------------------

LENGTH = 2400  # seconds of a history
NAMES = ["a", "b", "c"]


class History:
    """Readings of a family: [(second, interval, keyframe, gap, {name: (increase, level)})]; rows as a collector sends."""

    def __init__(self, seed):
        rng = random.Random(seed)
        self.readings = []
        present = {"a": (0, 5)}
        second, first, number = rng.randrange(60), True, 0
        while second < LENGTH:
            fate = rng.random()
            gap = not first and fate < 0.03
            interval = 0 if first or gap else second - self.readings[-1][0]
            keyframe = first or gap or number % 8 == 0
            rows = {}
            for name in NAMES:
                if rng.random() < 0.04:
                    present.pop(name, None)
                elif name not in present and rng.random() < 0.1:
                    present[name] = (None, None)
                if name not in present:
                    continue
                level = present[name][1]
                changed = level is None or rng.random() < 0.4
                new_level = rng.choice([rng.randrange(100), rng.randrange(100), None]) if changed else level
                increase = rng.choice([0, 0, rng.randrange(1, 1000)])
                if keyframe or increase or new_level != level or present[name] == (None, None):
                    rows[name] = (None if interval == 0 else increase, new_level)
                present[name] = (0, new_level)
            self.readings.append((second, interval, keyframe, gap, rows))
            first, number = False, number + 1
            second += 60 if rng.random() < 0.85 else rng.choice([45, 61, 90, 130, 500])

    def frames(self, base):
        return [frame("pg_stat_database", at(base, second), ["datname", "xact_commit", "numbackends"],
                      [[name, increase, level] for name, (increase, level) in rows.items()], interval_s=interval,
                      keyframe=keyframe, gap=gap) for second, interval, keyframe, gap, rows in self.readings]

    # counters

    def covered(self):
        seconds = set()
        for second, interval, _, _, _ in self.readings:
            seconds.update(range(second - interval, second))
        return seconds

    def rates(self, names, start, stop, step):
        covered = self.covered()
        points = []
        for begin in range(start // step * step, stop, step):
            seconds = [s for s in range(begin, begin + step) if s in covered]
            increase = 0
            for second, interval, _, _, rows in self.readings:
                if interval:
                    overlap = max(0, min(second, begin + step) - max(second - interval, begin))
                    increase += sum((rows[n][0] or 0) for n in names if n in rows) * overlap / interval
            points.append(increase / len(seconds) if seconds else None)
        return points

    # gauges

    def levels(self, name, start, stop):
        """What is known of @name at each second: a number, "unknown", "absent", or None where nobody reads."""
        middle = sorted(i for s, i, _, _, _ in self.readings if i and s <= stop)
        hold = 2 * middle[(len(middle) + 1) // 2 - 1] if middle else 300
        level = "absent"
        result = {}
        for index, (second, _, keyframe, _, rows) in enumerate(self.readings):
            if name in rows:
                level = "unknown" if rows[name][1] is None else rows[name][1]
            elif keyframe:
                level = "absent"
            following = self.readings[index + 1][0] if index + 1 < len(self.readings) else second + hold
            for s in range(second, min(following, second + hold)):
                result[s] = level
        return result

    def averages(self, name, start, stop, step):
        levels = self.levels(name, start, stop)
        points = []
        for begin in range(start // step * step, stop, step):
            known = [levels[s] for s in range(begin, begin + step) if isinstance(levels.get(s), int)]
            points.append(sum(known) / len(known) if known else None)
        return points

    def sums(self, start, stop, step):
        levels = [self.levels(name, start, stop) for name in NAMES]
        points = []
        for begin in range(start // step * step, stop, step):
            known = []
            for s in range(begin, begin + step):
                now = [series[s] for series in levels if s in series]
                numbers = [level for level in now if isinstance(level, int)]
                if now and (numbers or "unknown" not in now):
                    known.append(sum(numbers))
            points.append((sum(known) / len(known), min(known), max(known)) if known else None)
        return points


def same(got, wanted):
    return len(got) == len(wanted) and all(
        g is None and w is None or g is not None and w is not None and abs(g - w) < 1e-6 for g, w in zip(got, wanted))


@pytest.mark.parametrize("seed", range(12))
def test_random_histories_give_what_the_model_gives(store, base, seed):
    history = History(seed)
    collector = store.add_collector()
    [answer] = store.push(body(collector, history.frames(base)))
    assert answer["rejected"] == []
    server = store.server_id(collector)
    start, stop = 0, LENGTH - LENGTH % 60
    for step in (20, 60, 300):
        context = (seed, step)
        [metric] = store.metrics(server, "pg_stat_database.xact_commit", at(base, start), at(base, stop), step_s=step)
        for series in metric["series"]:
            wanted = history.rates([series["labels"]["datname"]], start, stop, step)
            assert same(values(series), wanted), (context, series["labels"], values(series), wanted)
        [metric] = store.metrics(server, "pg_stat_database.xact_commit", at(base, start), at(base, stop), step_s=step,
                                 group_by="")
        for series in metric["series"]:
            assert same(values(series), history.rates(NAMES, start, stop, step)), context
            assert series["total"] == sum(rows[n][0] or 0 for s, i, _, _, rows in history.readings if i and s <= stop
                                          for n in rows)

        [metric] = store.metrics(server, "pg_stat_database.numbackends", at(base, start), at(base, stop), step_s=step)
        for series in metric["series"]:
            wanted = history.averages(series["labels"]["datname"], start, stop, step)
            assert same(values(series), wanted), (context, series["labels"], values(series), wanted)
        wanted = history.sums(start, stop, step)
        for index, agg in enumerate(("avg", "min", "max")):
            [metric] = store.metrics(server, "pg_stat_database.numbackends", at(base, start), at(base, stop), step_s=step,
                                     agg=agg, group_by="")
            for series in metric["series"]:
                expected = [None if w is None else w[index] for w in wanted]
                assert same(values(series), expected), (context, agg, values(series), expected)
