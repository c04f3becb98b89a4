#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The target's state, shared by target.c (the thread, its ticks) and target_store.c (what it keeps on disk).
 */
#include <pthread.h>

#include "collector/agent/target.h"
#include "collector/increase/changes.h"
#include "collector/increase/delta.h"
#include "collector/reading/family_costs.h"
#include "collector/reading/inbox.h"
#include "collector/reading/producer.h"
#include "collector/server/schedule.h"
#include "collector/server/session.h"
#include "collector/spool/baseline_log.h"
#include "collector/spool/batch.h"
#include "lib/base/log.h"
#include "lib/base/random.h"

struct Target {
    SettingsRef *settings;
    Usec begin_at; /* monotonic */
    const ServerSettings *server;
    Spool *spool;         /* NULL: nothing is sent */
    Snapshots *snapshots; /* NULL: nobody scrapes */
    ConnectGate *gate;
    char *collector_id;
    void (*on_append)(void *arg);
    void *arg;
    TargetStats stats;

    pthread_t thread;
    pthread_mutex_t mutex; /* of the condition, and of status */
    pthread_cond_t wake;
    _Atomic bool stop;
    Buf status; /* see target_status.h */

    /* What follows belongs to the thread. */
    char *directory; /* state_dir/servers/NAME */
    char *changes_directory;
    char *texts_path;
    Delta *delta;
    BaselineLog *baselines;
    Changes *changes;         /* NULL: the family change_event is switched off */
    uint64_t changes_written; /* number of the last file of what they remember, of the last baseline */
    Texts *texts;
    Batch batch;
    Session *session;
    Inbox *inbox;
    FamilyCosts *costs; /* of what comes through it */
    Producers *producers;
    Schedule heartbeat;
    Backoff backoff;
    Usec reconnect_at;
    bool is_away;     /* the last try to connect failed */
    Usec gate_ticket; /* 0: none */
    Usec housekeeping_at;
    bool texts_changed;
    uint64_t given_up;    /* batches of the spool, as last seen */
    Usec reachable_since; /* wall; or not, since then */
    Usec last_reading;    /* wall */
    Buf next_status;
    Err unreachable; /* code ERR_NONE while the server answers */
    Complain connect_complain, spool_complain, changes_complain, part_complain, inbox_complain;
};

/* --- target_store.c, on the target's thread --- */

/* No file of it is needed to go on: without the baseline the first reading begins anew, without the list of texts some
 * are sent once more. */
void target_load_state(Target *t);
/* Puts what waits into the spool. @end_of_tick: every text that was asked for is in this batch or one before it. False:
 * it could not be kept. */
bool target_flush(Target *t, bool end_of_tick);
/* What waits tells something that the batches before it did not. */
bool target_has_news(const Target *t);
/* Instead of a flush, for readings that tell nothing new: the next ones reach back to the last batch that was kept. */
void target_forget_turn(Target *t);
/* Texts are asked for while less than half of the spool is used, and take no more than that: numbers that wait are not
 * given up for them. A batch that was given up may have had some, nobody knows which: all are sent once more. */
void target_fit_texts_to_spool(Target *t);
void target_save_texts(Target *t); /* when they have changed */
