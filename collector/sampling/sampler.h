#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Sampler: every second it looks which sessions of a server are active or in a transaction, on a connection of its own,
 * and every ten seconds it puts what it counted into the target's inbox: families session_samples and session_sampling,
 * and long_transactions and blocked_trees when there are any.
 */
#include "collector/reading/producer.h"

extern const ProducerKind sampler_kind;
