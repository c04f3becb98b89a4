#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Values of JSON that others write and that changes from one version to the next: what is absent or of another type is
 * unknown, what is new is not looked at. Pure; texts point into the document.
 */
#include "collector/reading/rows.h"
#include "lib/json/json.h"

/* Of an object's member; SLICE_NULL when it is no text. NULL for @object is an object without members. */
Slice json_value_text(yyjson_val *object, const char *name);
/* A whole number that fits, also one written as a text or as a float without fraction. */
bool json_value_int(yyjson_val *object, const char *name, int64_t *ret);
bool json_value_number(yyjson_val *object, const char *name, double *ret);
bool json_value_bool(yyjson_val *object, const char *name); /* false when it is not there */
/* "2026-11-21T10:00:00+00:00", also with a blank in the middle, or seconds since 1970: to seconds. */
bool json_value_time(yyjson_val *object, const char *name, double *ret);

/* Sets @column of the last row when the member is there. */
void json_row_text(Rows *rows, const char *column, yyjson_val *object, const char *name);
void json_row_int(Rows *rows, const char *column, yyjson_val *object, const char *name);
void json_row_time(Rows *rows, const char *column, yyjson_val *object, const char *name);
