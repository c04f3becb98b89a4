/* SPDX-License-Identifier: PostgreSQL */
/* What the server has: families resolved against it, and what a person could do so that more can be read. */
#include <stdio.h>

#include "collector/server/session_private.h"
#include "lib/base/log.h"

static void advise_about_family(Session *s, const PgFacts *facts, const Family *f)
{
    const PgExtension *extension = f->needs[0] ? pg_facts_extension(facts, slice_cstr(f->needs)) : NULL;
    if (extension && extension->default_version && strcmp(extension->version, extension->default_version) != 0)
        advice_vec_push(&s->advice,
                        arena_printf(s->facts_arena,
                                     "extension %s is of version %s, the server has %s: alter extension %s update",
                                     f->needs, extension->version, extension->default_version, f->needs));
    for (size_t i = 0; i < f->column_count; i++) {
        const char *setting = f->columns[i].setting;
        if (!setting[0] || !map_has(facts->settings, slice_cstr(setting)) || pg_facts_setting_on(facts, setting))
            continue;
        /* Those of extensions may be dear: named, not recommended. */
        bool is_cheap = !strchr(setting, '.');
        _cleanup_buf_ Buf text = BUF_INIT;
        buf_printf(&text, "setting %s is off, what it would tell is not known%s", setting, is_cheap ? ": " : "");
        if (is_cheap)
            flavour_append_set_on(s->flavour, setting, &text);
        advice_vec_push(&s->advice, arena_strdup(s->facts_arena, buf_cstr(&text)));
    }
}

static void drop_repeated_advice(AdviceVec *advice)
{
    size_t kept = 0;
    for (size_t i = 0; i < advice->len; i++) {
        bool repeated = false;
        for (size_t j = 0; j < kept && !repeated; j++)
            repeated = strcmp(advice->items[i], advice->items[j]) == 0;
        if (!repeated)
            advice->items[kept++] = advice->items[i];
    }
    advice->len = kept;
}

static void advise(Session *s, const PgFacts *facts)
{
    advice_vec_clear(&s->advice);
    if (!facts->has_pg_monitor)
        advice_vec_push(&s->advice,
                        arena_printf(s->facts_arena,
                                     "role %s sees only its own sessions and statements: grant pg_monitor to \"%s\"",
                                     s->settled.role, s->settled.role));
    for (size_t i = 0; i < s->family_count; i++) {
        if (s->families[i].available)
            advise_about_family(s, facts, s->families[i].family);
    }
    drop_repeated_advice(&s->advice);
}

static void look_at_texts(const Session *s, const PgFacts *facts)
{
    const char *held = map_get(facts->settings, SLICE_LIT("pg_stat_statements.max"));
    int64_t count;
    if (s->options.texts && held && slice_to_int64(slice_cstr(held), &count))
        texts_set_held(s->options.texts, count);
}

int session_probe(Session *s, PgConn *conn, Err *reterr)
{
    arena_clear(s->facts_arena);
    s->presence = presence_free(s->presence);
    s->presence = presence_new();
    s->small_results = small_results_free(s->small_results);
    s->small_results = small_results_new();
    map_free(s->database_pulses);
    s->database_pulses = map_new(free);
    PgFacts facts = {0};
    int r = pg_facts_read(conn, s->facts_arena, &facts, reterr);
    if (r < 0)
        return err_trace(r);
    s->version_num = facts.version_num;
    s->system_identifier = facts.system_identifier;
    (void)snprintf(s->database, sizeof(s->database), "%s", facts.database);
    for (size_t i = 0; i < s->family_count; i++) {
        FamilyState *state = &s->families[i];
        if (state->family->scope == FAMILY_SCOPE_HOST)
            continue;
        Err err = ERR_INIT;
        state->reason = NULL;
        int resolved = family_resolve(state->family, &facts, s->facts_arena, &state->resolved, &state->reason, &err);
        state->available = resolved == RESOLVE_OK;
        state->retry_at = 0;
        if (state->available)
            presence_add(s->presence, &state->resolved);
        if (resolved < 0) {
            state->reason = arena_strdup(s->facts_arena, err.detail);
            log_warn("metric family does not fit the server", log_str("server", s->options.server->name),
                     log_str("family", state->family->name), log_error_field(&err));
        }
    }
    advise(s, &facts);
    look_at_texts(s, &facts);
    pg_facts_done(&facts);
    return 0;
}
