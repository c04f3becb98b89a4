/* SPDX-License-Identifier: PostgreSQL */
/* See negotiate.h. Items are separated by commas, parameters by semicolons; what cannot be read counts as 1. */
#include "collector/exporter/negotiate.h"

#include <strings.h>

static bool is_word(Slice text, const char *word)
{
    text = slice_trim(text);
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

/* The weight of the first item that is @word (of which every @parameter that is given must be known); 0: none. */
static double weight_of(Slice header, const char *word, bool (*knows_version)(Slice version))
{
    while (header.ptr) {
        Slice item = slice_split(&header, ',');
        if (!is_word(slice_split(&item, ';'), word))
            continue;
        double weight = 1;
        bool known = true;
        while (item.ptr) {
            Slice value = slice_split(&item, ';');
            Slice name = slice_split(&value, '=');
            value = slice_trim(value);
            if (is_word(name, "q") && !slice_to_double(value, &weight))
                weight = 1;
            if (is_word(name, "version") && knows_version)
                known = known && knows_version(value);
        }
        if (known && weight > 0)
            return weight;
    }
    return 0;
}

static bool is_openmetrics_1(Slice version)
{
    return slice_eq_cstr(version, "1.0.0");
}

static bool is_text_0_0_4(Slice version)
{
    return slice_eq_cstr(version, "0.0.4");
}

ExpositionFormat negotiate_format(Slice accept)
{
    if (!accept.ptr)
        return EXPOSITION_TEXT;
    double open = weight_of(accept, "application/openmetrics-text", is_openmetrics_1);
    double text = weight_of(accept, "text/plain", is_text_0_0_4);
    return open > 0 && open >= text ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
}

bool negotiate_gzip(Slice accept_encoding)
{
    return accept_encoding.ptr && weight_of(accept_encoding, "gzip", NULL) > 0;
}
