/* SPDX-License-Identifier: PostgreSQL */
/* The "C" locale: one object for all threads, with a point whatever the program's locale says. */
#include "tests/support/unit.h"

#include <langinfo.h>
#include <pthread.h>

#include "lib/base/c_locale.h"
#include "tests/unit/lib/base/comma_locale.h"

static void *get_locale(void *arg)
{
    (void)arg;
    return c_locale();
}

static void is_one_for_all_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_locale, NULL), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++) {
        void *locale;
        assert_int_equal(pthread_join(threads[i], &locale), 0);
        assert_ptr_equal(locale, c_locale());
    }
}

static void has_a_point_under_a_comma_locale(void **state)
{
    (void)state;
    if (!comma_locale_enter())
        skip();
    const char *ours = nl_langinfo_l(RADIXCHAR, c_locale());
    bool point = ours[0] == '.' && ours[1] == '\0';
    bool comma = nl_langinfo(RADIXCHAR)[0] == ',';
    comma_locale_leave();
    assert_true(comma);
    assert_true(point);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_one_for_all_threads),
        cmocka_unit_test(has_a_point_under_a_comma_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
