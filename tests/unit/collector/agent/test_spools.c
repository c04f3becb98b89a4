/* SPDX-License-Identifier: PostgreSQL */
/* Spools by the name of their server, and what former servers have left behind. */
#include "collector/agent/spools.h"

#include "lib/io/file.h"
#include "tests/support/scratch.h"
#include "tests/support/unit.h"

DEFINE_CLEANUP(Spools *, spools_free)

static Scratch scratch;
static Buf state_dir = BUF_INIT;
static Settings settings;

static int setup(void **state)
{
    (void)state;
    scratch = scratch_make(NULL);
    state_dir = scratch_path(&scratch, "state");
    settings = (Settings){.state_dir = buf_cstr(&state_dir)};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&state_dir);
    scratch_remove(&scratch);
    return 0;
}

static void open_and_fill(Spools *spools, const char *name)
{
    Err err = ERR_INIT;
    uint64_t sequence = 0;
    assert_ok(spools_open(spools, &settings, name, &err), &err);
    Spool *spool = spools_find(spools, name);
    assert_ok(spool_prepare(spool, &sequence, &err), &err);
    assert_ok(spool_append(spool, WIRE_IDENTITY, slice_cstr("{}"), 1, &err), &err);
}

static void opens_each_server_once(void **state)
{
    (void)state;
    _cleanup_(spools_freep) Spools *spools = spools_new();
    Err err = ERR_INIT;
    open_and_fill(spools, "a");
    Spool *first = spools_find(spools, "a");
    assert_ok(spools_open(spools, &settings, "a", &err), &err);
    open_and_fill(spools, "b");
    assert_int_equal(spools_count(spools), 2);
    assert_ptr_equal(spools_find(spools, "a"), first);
    assert_ptr_equal(spools_at(spools, 0), first);
    assert_string_equal(spools_name(spools, 1), "b");
    assert_null(spools_find(spools, "c"));
    spools_clear(spools);
    assert_int_equal(spools_count(spools), 0);
    assert_null(spools_find(spools, "a"));
}

static void finds_what_former_servers_left(void **state)
{
    (void)state;
    Spools *before = spools_new();
    Err err = ERR_INIT;
    open_and_fill(before, "former");
    spools_free(before);
    _cleanup_buf_ Buf stray = scratch_path(&scratch, "state/servers/stray");
    assert_ok(file_write_atomic(buf_cstr(&stray), 0600, slice_cstr("no directory"), &err), &err);

    _cleanup_(spools_freep) Spools *spools = spools_new();
    assert_ok(spools_open(spools, &settings, "a", &err), &err);
    spools_open_left_behind(spools, &settings);
    SpoolStats stats;
    spool_stats(spools_find(spools, "former"), &stats);
    assert_int_equal(stats.batches, 1);
    assert_null(spools_find(spools, "stray"));
    assert_int_equal(spools_count(spools), 2);
}

static void says_whose_buffer_cannot_be_opened(void **state)
{
    (void)state;
    _cleanup_(spools_freep) Spools *spools = spools_new();
    Err err = ERR_INIT;
    assert_ok(spools_open(spools, &settings, "a", &err), &err);
    _cleanup_buf_ Buf taken = scratch_path(&scratch, "state/servers/b");
    assert_ok(file_write_atomic(buf_cstr(&taken), 0600, slice_cstr("in the way"), &err), &err);
    assert_true(spools_open(spools, &settings, "b", &err) < 0);
    assert_non_null(strstr(err.detail, "buffer of server b"));
    assert_null(spools_find(spools, "b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opens_each_server_once, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_what_former_servers_left, setup, teardown),
        cmocka_unit_test_setup_teardown(says_whose_buffer_cannot_be_opened, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
