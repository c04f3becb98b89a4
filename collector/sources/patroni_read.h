#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Answers of Patroni's REST interface (2.x to 4.x), to rows. What a version does not tell stays null; an answer that is
 * not of the documented form is an error. Pure.
 */
#include "collector/sources/source.h"
#include "lib/json/json.h"

enum {
    PATRONI_ANSWER_MAX = 1 << 20,
    PATRONI_DEPTH_MAX = 16,
    PATRONI_MEMBERS_MAX = 1000,
};

/* Indexes of the families that a producer of Patroni has. */
enum { PATRONI_STATE, PATRONI_MEMBER, PATRONI_CLUSTER, _PATRONI_FAMILY_COUNT };

/* What the three answers say, parsed. NULL: not asked for, or not to be had. */
typedef struct PatroniAnswers {
    yyjson_doc *node;    /* GET /patroni */
    yyjson_doc *cluster; /* GET /cluster */
    yyjson_doc *history; /* GET /history */
} PatroniAnswers;

void patroni_answers_done(PatroniAnswers *a);

/* Parses one answer, strictly bounded. */
int patroni_parse(Slice text, yyjson_doc **ret, Err *reterr) MUST_CHECK;
/* Do the answers have the form that the functions below need? */
int patroni_check(const PatroniAnswers *a, Err *reterr) MUST_CHECK;

void patroni_fill_node(Rows *rows, const PatroniAnswers *a); /* of the last row, all but up and error */
void patroni_fill_members(SourceFamilies *families, const char *source, const PatroniAnswers *a);
void patroni_fill_cluster(SourceFamilies *families, const char *source, const PatroniAnswers *a);
