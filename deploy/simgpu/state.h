/*
 * What all simulated GPU programs of the node did and do, as functions of time. Not thread-safe.
 *
 * The files come from ordinary users and are believed only as far as they can be checked; see state.c.
 */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "record.h"

#define STILL_GOING UINT64_MAX

struct process {
    pid_t pid;
    uint64_t start_ticks;
    uid_t uid;
    bool alive;      /* holds its devices and their memory */
    bool hidden;     /* not believed, or retired: counts for nothing */
    bool proven;     /* the file's owner was seen to be the process's user, and its start time to be the file's */
    uint64_t heartbeat_us;
    uint64_t end_us; /* where its history ends; STILL_GOING if it is at work */
    uint32_t device_count, segment_count;
    struct record_device *devices;
    struct record_segment *segments;
    /* identity of the file as it was last read */
    uint64_t inode, changed_ns;
    bool ended;
};

struct piece {
    uint64_t from_us;
    double util, memory_util;         /* 0 to 1, until the next piece */
    double util_sum, memory_util_sum; /* integrals over all time before this piece, in microseconds */
};

/*
 * Use of one GPU over all time, all programs together; the last piece has no end. Programs on an instance of a
 * partitioned GPU count in proportion to its compute slices.
 */
struct timeline {
    uint32_t minor;
    bool partitioned;
    uint8_t slices[MAX_INSTANCE + 1]; /* by instance id; 0 where there is none */
    uint64_t refreshed_us; /* when the files of its programs were last looked at */
    bool stale;            /* not computed since */
    size_t count;
    struct piece *pieces;
    double proved_us; /* integral as far as heartbeats prove it, retired programs included: this never falls */
};

struct state {
    int directory; /* procs/, or -1 as long as there is none */
    char path[4096];
    uint64_t boot;
    uint64_t full_us, tidied_us; /* when all files were last looked at, and tidied up */
    size_t process_count, timeline_count;
    struct process *processes;
    struct timeline *timelines;
    size_t retired_count;
    struct retired_use {
        uint32_t minor;
        double busy_us;
    } *retired;
};

/* Nothing is read before the first refresh. Returns false only when memory is short. */
bool state_open(struct state *state, const char *directory, const struct node_config *config);
void state_close(struct state *state);

/*
 * Reads what changed about the programs on that GPU, or on all if it is NULL, unless that was done within the last
 * max_age_us, and computes the timeline. Of programs on other GPUs only their beginning and end is noticed: what a
 * program takes does not change, so a reader that asks for one GPU after the other need not read all files each time.
 */
void state_refresh(struct state *state, struct timeline *timeline, uint64_t max_age_us);

/* Removes the files of programs that ended more than two minutes ago, where this user may. */
void state_tidy(struct state *state);

/* Mean use from one time to a later one. */
void timeline_mean(const struct timeline *timeline, uint64_t from_us, uint64_t to_us, double *util,
                   double *memory_util);

/* Mean activity of one process, 0 to 1: times a device's permille it is what the process did there. */
double process_activity(const struct process *process, uint64_t from_us, uint64_t to_us);

/* Mean utilisation by one process of one of its devices, 0 to 1, without regard to other processes. */
double process_mean(const struct process *process, const struct record_device *device, uint64_t from_us,
                    uint64_t to_us);

/* What the process took of that GPU: the whole, or one of its instances as configured; NULL if nothing. */
const struct record_device *process_device(const struct process *process, const struct timeline *timeline);

#endif
