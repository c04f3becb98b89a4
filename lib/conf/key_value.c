/* SPDX-License-Identifier: PostgreSQL */
/*
 * One value of a key table: text to value, bounds, storing into the settings struct, and back to text. Strings and
 * lists in the struct are its own; a secret's memory is wiped before it is freed. Pure but for the struct.
 */
#include <assert.h>
#include <math.h>
#include <strings.h>

#include "lib/base/memory.h"
#include "lib/conf/conf_private.h"

bool conf_type_is_text(ConfType type)
{
    return type == CONF_STRING || type == CONF_PATH || type == CONF_SECRET;
}

/* ---- members of the settings struct, reached without knowing their C type ---- */

static void member_read(const ConfKey *key, const void *settings, void *ret, size_t size)
{
    assert(key->size == size);
    memcpy(ret, (const char *)settings + key->offset, size);
}

static void member_write(const ConfKey *key, void *settings, const void *value, size_t size)
{
    assert(key->size == size);
    memcpy((char *)settings + key->offset, value, size);
}

const char *conf_string_at(const ConfKey *key, const void *settings)
{
    const char *s;
    member_read(key, settings, &s, sizeof(s));
    return s;
}

static ConfStringList list_at(const ConfKey *key, const void *settings)
{
    ConfStringList list;
    member_read(key, settings, &list, sizeof(list));
    return list;
}

static int64_t number_at(const ConfKey *key, const void *settings)
{
    const char *member = (const char *)settings + key->offset;
    bool is_signed = key->min < 0;
    switch (key->size) {
    case 1: {
        uint8_t v;
        memcpy(&v, member, sizeof(v));
        return is_signed ? (int64_t)(int8_t)v : (int64_t)v;
    }
    case 2: {
        uint16_t v;
        memcpy(&v, member, sizeof(v));
        return is_signed ? (int64_t)(int16_t)v : (int64_t)v;
    }
    case 4: {
        uint32_t v;
        memcpy(&v, member, sizeof(v));
        return is_signed ? (int64_t)(int32_t)v : (int64_t)v;
    }
    default: {
        int64_t v;
        member_read(key, settings, &v, sizeof(v));
        return v;
    }
    }
}

/* In bounds already: cutting to the member's size loses nothing. */
static void number_store(const ConfKey *key, void *settings, int64_t number)
{
    uint8_t narrow8 = (uint8_t)number;
    uint16_t narrow16 = (uint16_t)number;
    uint32_t narrow32 = (uint32_t)number;
    switch (key->size) {
    case 1:
        member_write(key, settings, &narrow8, sizeof(narrow8));
        break;
    case 2:
        member_write(key, settings, &narrow16, sizeof(narrow16));
        break;
    case 4:
        member_write(key, settings, &narrow32, sizeof(narrow32));
        break;
    default:
        member_write(key, settings, &number, sizeof(number));
    }
}

/* ---- text to value ---- */

static bool parse_bool(Slice s, int64_t *ret)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (s.len == strlen(words[i]) && strncasecmp(s.ptr, words[i], s.len) == 0) {
            *ret = (int64_t)(i % 2);
            return true;
        }
    }
    return false;
}

static bool parse_enum(const ConfKey *key, Slice s, int64_t *ret)
{
    for (size_t i = 0; key->choices[i]; i++) {
        if (s.len == strlen(key->choices[i]) && strncasecmp(s.ptr, key->choices[i], s.len) == 0) {
            *ret = (int64_t)i;
            return true;
        }
    }
    return false;
}

/* Thousandths; more places are rounded. */
bool conf_decimal_from_double(double number, int64_t *ret)
{
    if (!(number > -1e15 && number < 1e15)) /* NaN, too */
        return false;
    *ret = llround(number * 1000);
    return true;
}

static bool parse_decimal(Slice s, int64_t *ret)
{
    double number;
    return slice_to_double(s, &number) && conf_decimal_from_double(number, ret);
}

static bool parse_bytes(Slice s, int64_t *ret)
{
    uint64_t bytes;
    if (!slice_to_bytes(s, &bytes) || bytes > INT64_MAX)
        return false;
    *ret = (int64_t)bytes;
    return true;
}

/* Comma list; blanks around items and empty items do not count. */
static void parse_list(Slice s, SliceVec *ret)
{
    for (Slice rest = s; rest.ptr;) {
        Slice item = slice_trim(slice_split(&rest, ','));
        if (item.len > 0)
            slice_vec_push(ret, item);
    }
}

bool conf_value_parse(const ConfKey *key, Slice text, ConfValue *ret)
{
    Slice word = slice_trim(text);
    switch (key->type) {
    case CONF_BOOL:
        return parse_bool(word, &ret->number);
    case CONF_INT:
        return slice_to_int64(word, &ret->number);
    case CONF_DECIMAL:
        return parse_decimal(word, &ret->number);
    case CONF_BYTES:
        return parse_bytes(word, &ret->number);
    case CONF_DURATION:
        return slice_to_duration(word, &ret->number);
    case CONF_ENUM:
        return parse_enum(key, word, &ret->number);
    case CONF_STRING_LIST:
        parse_list(text, &ret->items);
        return true;
    case CONF_STRING:
    case CONF_PATH:
    case CONF_SECRET:
    case _CONF_TYPE_MAX:
        break;
    }
    assert(conf_type_is_text(key->type));
    ret->text = text;
    return true;
}

static bool has_bounds(const ConfKey *key)
{
    return key->min != 0 || key->max != 0;
}

bool conf_value_in_bounds(const ConfKey *key, const ConfValue *value)
{
    int64_t measure = value->number;
    if (conf_type_is_text(key->type))
        measure = (int64_t)value->text.len;
    else if (key->type == CONF_STRING_LIST)
        measure = (int64_t)value->items.len;
    else if (key->type == CONF_BOOL || key->type == CONF_ENUM)
        return true;
    if (!has_bounds(key))
        return measure >= 0;
    return measure >= key->min && measure <= key->max;
}

/* ---- storing ---- */

void conf_value_clear(const ConfKey *key, void *settings)
{
    if (conf_type_is_text(key->type)) {
        char *s;
        member_read(key, settings, &s, sizeof(s));
        if (s && key->type == CONF_SECRET)
            explicit_bzero(s, strlen(s));
        free(s);
    } else if (key->type == CONF_STRING_LIST) {
        ConfStringList list = list_at(key, settings);
        for (size_t i = 0; i < list.count; i++) {
            char *item;
            memcpy(&item, &list.items[i], sizeof(item)); /* owned, const for readers only */
            free(item);
        }
        free(list.items);
    }
    memset((char *)settings + key->offset, 0, key->size);
}

static void store_list(const ConfKey *key, void *settings, const SliceVec *items)
{
    ConfStringList list = {0};
    if (items->len > 0) {
        list.items = mem_alloc_array(sizeof(*list.items), items->len + 1); /* zeroed: ends with NULL */
        for (; list.count < items->len; list.count++)
            list.items[list.count] = mem_dup(items->items[list.count].ptr, items->items[list.count].len);
    }
    member_write(key, settings, &list, sizeof(list));
}

void conf_value_store(const ConfKey *key, void *settings, const ConfValue *value)
{
    conf_value_clear(key, settings);
    if (conf_type_is_text(key->type)) {
        char *s = mem_dup(value->text.ptr, value->text.len);
        member_write(key, settings, &s, sizeof(s));
    } else if (key->type == CONF_STRING_LIST) {
        store_list(key, settings, &value->items);
    } else {
        number_store(key, settings, value->number);
    }
}

/* ---- reading back ---- */

void conf_value_load(const ConfKey *key, const void *settings, ConfValue *ret)
{
    if (conf_type_is_text(key->type)) {
        ret->text = slice_cstr(conf_string_at(key, settings));
    } else if (key->type == CONF_STRING_LIST) {
        ConfStringList list = list_at(key, settings);
        for (size_t i = 0; i < list.count; i++)
            slice_vec_push(&ret->items, slice_cstr(list.items[i]));
    } else {
        ret->number = number_at(key, settings);
    }
}

bool conf_value_is_empty(const ConfKey *key, const void *settings)
{
    if (conf_type_is_text(key->type))
        return *conf_string_at(key, settings) == '\0';
    return key->type == CONF_STRING_LIST && list_at(key, settings).count == 0;
}

bool conf_value_equal(const ConfKey *key, const void *a, const void *b)
{
    if (conf_type_is_text(key->type))
        return strcmp(conf_string_at(key, a), conf_string_at(key, b)) == 0;
    if (key->type != CONF_STRING_LIST)
        return number_at(key, a) == number_at(key, b);

    ConfStringList x = list_at(key, a);
    ConfStringList y = list_at(key, b);
    if (x.count != y.count)
        return false;
    for (size_t i = 0; i < x.count; i++)
        if (strcmp(x.items[i], y.items[i]) != 0)
            return false;
    return true;
}

typedef struct Unit {
    const char *name;
    int64_t size;
} Unit;

/* The largest unit that leaves no rest. */
static void write_in_units(Buf *out, int64_t value, const Unit *units, size_t count)
{
    size_t i = 0;
    while (i + 1 < count && (value % units[i].size != 0 || value == 0))
        i++;
    buf_append_int64(out, value / units[i].size);
    buf_append_cstr(out, units[i].name);
}

static void write_number(const ConfKey *key, int64_t value, Buf *out)
{
    static const Unit sizes[] = {{"TB", (int64_t)1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}, {"B", 1}};
    static const Unit times[] = {{"d", 86400 * USEC_PER_SEC}, {"h", 3600 * USEC_PER_SEC}, {"m", 60 * USEC_PER_SEC},
                                 {"s", USEC_PER_SEC},         {"ms", USEC_PER_MSEC},      {"us", 1}};
    if (key->type == CONF_DECIMAL)
        buf_append_double(out, (double)value / 1000);
    else if (key->type == CONF_BYTES)
        write_in_units(out, value, sizes, ARRAY_LENGTH(sizes));
    else if (key->type == CONF_DURATION && value != 0)
        write_in_units(out, value, times, ARRAY_LENGTH(times));
    else
        buf_append_int64(out, value);
}

void conf_key_write_value(const ConfKey *key, const void *settings, Buf *out)
{
    if (key->type == CONF_SECRET) {
        if (!conf_value_is_empty(key, settings))
            buf_append_cstr(out, "********");
    } else if (conf_type_is_text(key->type)) {
        buf_append_cstr(out, conf_string_at(key, settings));
    } else if (key->type == CONF_STRING_LIST) {
        ConfStringList list = list_at(key, settings);
        for (size_t i = 0; i < list.count; i++)
            buf_printf(out, "%s%s", i > 0 ? "," : "", list.items[i]);
    } else if (key->type == CONF_BOOL) {
        buf_append_cstr(out, number_at(key, settings) ? "true" : "false");
    } else if (key->type == CONF_ENUM) {
        buf_append_cstr(out, key->choices[number_at(key, settings)]);
    } else {
        write_number(key, number_at(key, settings), out);
    }
}

/* ---- what is allowed ---- */

/* " from 1 to 10", " of at least 32 bytes", ", 1 to 10 of them" */
static void write_bounds(const ConfKey *key, const char *between, const char *unit, Buf *out)
{
    bool at_least = key->max == INT64_MAX;
    bool at_most = key->min == 0 && *unit != '\0'; /* lengths and counts begin at 0 anyway */
    if (!has_bounds(key) || (at_least && (at_most || key->min == INT64_MIN)))
        return;
    bool plain = at_least || at_most;
    buf_append_cstr(out, plain && !*unit ? " of " : between);
    buf_append_cstr(out, at_least ? "at least " : at_most ? "at most " : "");
    if (!at_most)
        write_number(key, key->min, out);
    if (!plain)
        buf_append_cstr(out, " to ");
    if (!at_least)
        write_number(key, key->max, out);
    buf_append_cstr(out, unit);
}

void conf_key_write_allowed(const ConfKey *key, Buf *out)
{
    static const struct {
        const char *name;
        const char *between;
        const char *unit;
        const char *such_as;
    } texts[_CONF_TYPE_MAX] = {
        [CONF_STRING] = {"a string", " of ", " bytes", ""},
        [CONF_PATH] = {"a path", " of ", " bytes", ""},
        [CONF_SECRET] = {"a string", " of ", " bytes", ""},
        [CONF_BOOL] = {"true or false", "", "", ""},
        [CONF_INT] = {"an integer", " from ", "", ""},
        [CONF_DECIMAL] = {"a number", " from ", "", ", such as 0.5"},
        [CONF_BYTES] = {"a size", " from ", "", ", such as 64kB, 256MB or 1GB"},
        [CONF_DURATION] = {"a duration", " from ", "", ", such as 90 or 90s, 15m, 2h, 14d"},
        [CONF_STRING_LIST] = {"a list of strings", ", ", " of them", ""},
        [CONF_ENUM] = {"one of ", "", "", ""},
    };
    assert((unsigned)key->type < _CONF_TYPE_MAX);
    buf_append_cstr(out, texts[key->type].name);
    if (key->type == CONF_ENUM)
        for (size_t i = 0; key->choices[i]; i++)
            buf_printf(out, "%s%s", i > 0 ? ", " : "", key->choices[i]);
    else if (key->type != CONF_BOOL)
        write_bounds(key, texts[key->type].between, texts[key->type].unit, out);
    buf_append_cstr(out, texts[key->type].such_as);
}

/* ---- did you mean ---- */

ConfNearest conf_nearest(Slice given)
{
    /* Short names take one or two slips of the finger, long ones three. */
    size_t slips = given.len < 4 ? 1 : given.len < 8 ? 2 : 3;
    return (ConfNearest){.given = given, .distance = slips + 1};
}

void conf_nearest_offer(ConfNearest *n, Slice candidate)
{
    size_t distance = slice_distance(n->given, candidate, n->distance);
    if (distance < n->distance) {
        n->distance = distance;
        n->best = candidate;
    }
}
