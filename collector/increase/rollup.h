#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Rollup: makes the rows of a frame fewer without changing their sum. Runs behind the comparison with the previous
 * reading, on increases: a row that is added up here today and stands for itself tomorrow is never counted twice, and a
 * partition that is dropped takes nothing away.
 *
 * First rows that share what Reading.rolled gives them become one: counters are added, gauges combined as the catalog
 * says over all rows of the reading, infos are unknown. Then, with Reading.top, those with the largest increase stay
 * and the rest becomes one row whose labels are "(other)": counters are added, all else is unknown. Pure.
 */
#include "collector/reading/reading.h"

#define ROLLUP_OTHER "(other)"

/* @sources: for each row of @frame the row of @reading that it came from. New cells live in @arena. */
void rollup_apply(Arena *arena, const Reading *reading, const size_t *sources, PushFrame *frame);
