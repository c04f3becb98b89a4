/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "backend/http/address.h"

static void reads_addresses(void **state UNUSED)
{
    static const struct {
        const char *text;
        const char *written; /* NULL: refused */
    } cases[] = {
        {"10.0.0.1", "10.0.0.1"},
        {" 10.0.0.1 ", "10.0.0.1"},
        {"10.0.0.1:8080", "10.0.0.1"},
        {"::1", "::1"},
        {"[::1]:443", "::1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"", NULL},
        {"unknown", NULL},
        {"10.0.0", NULL},
        {"10.0.0.256", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"[::1", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        HttpAddress a;
        bool read = http_address_from_text(slice_cstr(cases[i].text), &a);
        if (read != (cases[i].written != NULL))
            fail_msg("\"%s\"", cases[i].text);
        if (!read)
            continue;
        char text[HTTP_ADDRESS_TEXT_SIZE];
        http_address_to_text(&a, text);
        assert_string_equal(text, cases[i].written);
    }
}

static void knows_what_is_inside_a_network(void **state UNUSED)
{
    static const struct {
        const char *networks;
        const char *address;
        bool inside;
    } cases[] = {
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.2", false},
        {"192.168.4.0/22", "192.168.7.255", true},
        {"192.168.4.0/22", "192.168.8.0", false},
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},
        {"::/0", "8.8.8.8", true},
        {"10.0.0.0/8, ::1", "::1", true},
        {"", "::1", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        HttpNetworkVec list = {0};
        HttpAddress a;
        assert_int_equal(http_networks_parse(cases[i].networks, &list, NULL), 0);
        assert_true(http_address_from_text(slice_cstr(cases[i].address), &a));
        if (http_networks_contain(&list, &a) != cases[i].inside)
            fail_msg("%s in %s", cases[i].address, cases[i].networks);
        http_network_vec_done(&list);
    }
}

static void refuses_networks_with_faults(void **state UNUSED)
{
    static const char *const cases[] = {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "proxy", "10.0.0.1,x"};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        HttpNetworkVec list = {0};
        Err err = ERR_INIT;
        assert_true(http_networks_parse(cases[i], &list, &err) < 0);
        assert_int_equal(err.code, ERR_CONFIG);
        http_network_vec_done(&list);
    }
}

static void believes_forwarded_addresses_as_far_as_they_are_vouched_for(void **state UNUSED)
{
    static const struct {
        const char *peer;
        const char *forwarded;
        const char *client;
    } cases[] = {
        {"10.0.0.1", NULL, "10.0.0.1"},
        {"10.0.0.1", "203.0.113.7", "203.0.113.7"},
        {"10.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7"},
        {"10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
        {"203.0.113.9", "1.2.3.4", "203.0.113.9"},
        {"10.0.0.1", "nonsense", "10.0.0.1"},
        {"10.0.0.1", "203.0.113.7, nonsense", "10.0.0.1"},
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", "[2001:db8::5]:1234", "2001:db8::5"},
    };
    HttpNetworkVec trusted = {0};
    assert_int_equal(http_networks_parse("10.0.0.0/8", &trusted, NULL), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        HttpAddress peer;
        char text[HTTP_ADDRESS_TEXT_SIZE];
        assert_true(http_address_from_text(slice_cstr(cases[i].peer), &peer));
        HttpAddress client = http_address_of_client(&trusted, &peer, cases[i].forwarded);
        http_address_to_text(&client, text);
        assert_string_equal(text, cases[i].client);
    }
    http_network_vec_done(&trusted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_addresses),
        cmocka_unit_test(knows_what_is_inside_a_network),
        cmocka_unit_test(refuses_networks_with_faults),
        cmocka_unit_test(believes_forwarded_addresses_as_far_as_they_are_vouched_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
