/*
 * A file is believed when it is a plain file of the right size and checksum, is named for the process it speaks of, was
 * written since this boot, belongs to the user of that process (as long as the process lives), and when its numbers
 * are possible: known limits kept, times in order and not in the future. A user can therefore invent work of their own,
 * which is all that simgpu does anyway, but cannot speak for others, add unbounded energy, or disturb the reader.
 */
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MAX_PROCESSES 4096
#define MAX_RETIRED 256
#define MAX_MEMORY (1ULL << 48)
#define RETIRE_AFTER_US 120000000ULL
#define TIDY_EVERY_US 30000000ULL /* and look at all files */
#define FULL_USE ((int64_t)FULL_PERMILLE * FULL_ACTIVITY * COMPUTE_SLICES)
#define NEWS_US 400000U /* a younger heartbeat proves life if the process still exists */

bool state_open(struct state *state, const char *directory, const struct node_config *config)
{
    const size_t count = config->count;
    memset(state, 0, sizeof *state);
    snprintf(state->path, sizeof state->path, "%s/procs", directory);
    state->directory = -1;
    state->boot = record_boot();
    state->timelines = calloc(count > 0 ? count : 1, sizeof *state->timelines);
    if (state->timelines == NULL) {
        return false;
    }
    state->timeline_count = count;
    for (size_t i = 0; i < count; i++) {
        const struct gpu_config *gpu = &config->gpus[i];
        struct timeline *timeline = &state->timelines[i];
        timeline->minor = gpu->minor;
        timeline->partitioned = gpu->instance_count > 0;
        for (size_t j = 0; j < gpu->instance_count; j++) {
            timeline->slices[gpu->instances[j].id] = (uint8_t)gpu->instances[j].compute_slices;
        }
    }
    return true;
}

static void forget_process(struct process *process)
{
    free(process->devices);
    free(process->segments);
    process->devices = NULL;
    process->segments = NULL;
}

static void forget_processes(struct process *processes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        forget_process(&processes[i]);
    }
    free(processes);
}

void state_close(struct state *state)
{
    if (state->directory >= 0) {
        close(state->directory);
    }
    forget_processes(state->processes, state->process_count);
    for (size_t i = 0; i < state->timeline_count; i++) {
        free(state->timelines[i].pieces);
    }
    free(state->timelines);
    free(state->retired);
    memset(state, 0, sizeof *state);
    state->directory = -1;
}

static int by_identity(const void *a, const void *b)
{
    const struct process *x = a, *y = b;
    if (x->pid != y->pid) {
        return x->pid < y->pid ? -1 : 1;
    }
    return x->start_ticks == y->start_ticks ? 0 : x->start_ticks < y->start_ticks ? -1 : 1;
}

static struct process *find_process(const struct state *state, const struct process *wanted)
{
    return state->process_count == 0
               ? NULL
               : bsearch(wanted, state->processes, state->process_count, sizeof *wanted, by_identity);
}

/* Reads PID-STARTTICKS in exactly the form in which simgpu writes it. */
static bool parse_name(const char *name, struct process *process)
{
    int pid;
    unsigned long long ticks;
    char again[64];
    if (sscanf(name, "%9d-%19llu", &pid, &ticks) != 2 || pid <= 0) {
        return false;
    }
    snprintf(again, sizeof again, "%d-%llu", pid, ticks);
    process->pid = pid;
    process->start_ticks = ticks;
    return strcmp(name, again) == 0;
}

static bool is_possible(const struct record *record, const struct process *named, uint64_t boot, uint64_t now)
{
    if (record->magic != RECORD_MAGIC || record->version != RECORD_VERSION || record->boot != boot
        || record->pid != named->pid || record->start_ticks != named->start_ticks || record->ended > 1
        || record->device_count > RECORD_DEVICES || record->segment_count > RECORD_SEGMENTS
        || record->heartbeat_us > now) {
        return false;
    }
    for (uint32_t i = 0; i < record->device_count; i++) {
        const struct record_device *device = &record->devices[i];
        if (device->util_permille > FULL_PERMILLE || device->memory_util_permille > FULL_PERMILLE
            || device->memory_bytes > MAX_MEMORY || device->kind >= KINDS
            || (device->instance > MAX_INSTANCE && device->instance != WHOLE_GPU)) {
            return false;
        }
        for (size_t j = 0; j < SHARES; j++) {
            if (device->shares[j] > FULL_PERMILLE) {
                return false;
            }
        }
        for (uint32_t j = 0; j < i; j++) {
            if (record->devices[j].minor == device->minor) {
                return false;
            }
        }
    }
    uint64_t last = 0;
    for (uint32_t i = 0; i < record->segment_count; i++) {
        const struct record_segment *segment = &record->segments[i];
        if (segment->activity_ppm > FULL_ACTIVITY || segment->from_us < last
            || segment->from_us > record->heartbeat_us) {
            return false;
        }
        last = segment->from_us;
    }
    return true;
}

static void *copy(const void *data, size_t size)
{
    void *new = malloc(size > 0 ? size : 1);
    if (new != NULL) {
        memcpy(new, data, size);
    }
    return new;
}

/* Of content, owner or mode; unlike the time of modification, nobody can set it. */
static uint64_t changed_at(const struct stat *status)
{
    return (uint64_t)status->st_ctim.tv_sec * 1000000000U + (uint64_t)status->st_ctim.tv_nsec;
}

/* Fills in what the file says; false if it is not to be believed. */
static bool read_process(struct state *state, const char *name, struct process *process)
{
    struct record record;
    struct stat status;
    if (!record_read(state->directory, name, &record, sizeof record, &status)
        || !is_possible(&record, process, state->boot, record_now_us())) {
        return false;
    }
    process->devices = copy(record.devices, record.device_count * sizeof *record.devices);
    process->segments = copy(record.segments, record.segment_count * sizeof *record.segments);
    if (process->devices == NULL || process->segments == NULL) {
        forget_process(process);
        return false;
    }
    process->uid = status.st_uid;
    process->heartbeat_us = record.heartbeat_us;
    process->device_count = record.device_count;
    process->segment_count = record.segment_count;
    process->ended = record.ended != 0;
    process->inode = status.st_ino;
    process->changed_ns = changed_at(&status);
    return true;
}

/*
 * Whether the process still exists, and if so whether the file is its own. Reading /proc costs more than all the rest,
 * so once both are proven, a recent heartbeat and a pid that exists are enough.
 */
static void look_at_process(struct process *process, uint64_t now)
{
    uint64_t ticks;
    uid_t uid;
    if (process->proven && !process->ended && process->heartbeat_us + NEWS_US >= now) {
        process->alive = kill(process->pid, 0) == 0 || errno == EPERM;
        process->hidden = false;
    } else {
        process->alive = !process->ended && record_process_start(process->pid, &ticks) && ticks == process->start_ticks;
        process->hidden = process->alive && (!record_process_user(process->pid, &uid) || uid != process->uid);
        process->proven = process->alive && !process->hidden;
    }
    bool fresh = process->heartbeat_us + GRACE_US >= now;
    process->end_us = process->alive && fresh ? STILL_GOING : process->heartbeat_us;
}

static void take_over(struct process *known, struct process *process)
{
    *process = *known;
    known->devices = NULL;
    known->segments = NULL;
}

/*
 * The process of one file: as known from the last time if the file did not change, else read anew. Not even looked at
 * if there is a GPU to look for (timeline) that the process did not take.
 */
static bool take_file(struct state *state, const char *name, const struct timeline *timeline, struct process *process)
{
    struct process *known = find_process(state, process);
    struct stat status;
    if (known != NULL && known->devices != NULL && timeline != NULL && process_device(known, timeline) == NULL) {
        take_over(known, process);
        return true;
    }
    if (known != NULL && known->devices != NULL && fstatat(state->directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0
        && known->inode == status.st_ino && known->changed_ns == changed_at(&status)) {
        take_over(known, process);
    } else if (read_process(state, name, process)) {
        process->proven = known != NULL && known->proven && known->uid == process->uid;
    } else {
        /* Caught in the middle of a write, or junk. What was known before stays true for a moment. */
        if (known == NULL || known->devices == NULL) {
            return false;
        }
        take_over(known, process);
    }
    look_at_process(process, record_now_us());
    return true;
}

static void add_retired_use(struct state *state, uint32_t minor, double busy_us)
{
    for (size_t i = 0; i < state->retired_count; i++) {
        if (state->retired[i].minor == minor) {
            state->retired[i].busy_us += busy_us;
            return;
        }
    }
    struct retired_use *more = realloc(state->retired, (state->retired_count + 1) * sizeof *more);
    if (more != NULL) {
        more[state->retired_count++] = (struct retired_use){.minor = minor, .busy_us = busy_us};
        state->retired = more;
    }
}

static bool read_retired(const struct state *state, uid_t uid, struct retired *retired)
{
    char name[64];
    struct stat status;
    snprintf(name, sizeof name, "retired-%u", (unsigned)uid);
    if (!record_read(state->directory, name, retired, sizeof *retired, &status) || status.st_uid != uid
        || retired->magic != RETIRED_MAGIC || retired->version != RECORD_VERSION || retired->boot != state->boot
        || retired->gpu_count > RECORD_DEVICES) {
        return false;
    }
    uint64_t most = record_now_us() * FULL_PERMILLE;
    for (uint32_t i = 0; i < retired->gpu_count; i++) {
        if (retired->gpus[i].busy > most) {
            return false;
        }
    }
    return true;
}

static void take_retired(struct state *state, uid_t uid)
{
    struct retired retired;
    if (!read_retired(state, uid, &retired)) {
        return;
    }
    for (uint32_t i = 0; i < retired.gpu_count; i++) {
        add_retired_use(state, retired.gpus[i].minor, (double)retired.gpus[i].busy / FULL_PERMILLE);
    }
    uint32_t names = retired.name_count < RETIRED_NAMES ? retired.name_count : RETIRED_NAMES;
    for (uint32_t i = 0; i < names; i++) {
        struct process wanted = {.pid = retired.names[i].pid, .start_ticks = retired.names[i].start_ticks};
        struct process *process = find_process(state, &wanted);
        if (process != NULL && !process->alive && (uid == 0 || uid == process->uid)) {
            process->hidden = true;
        }
    }
}

struct change {
    uint64_t at_us;
    int64_t util, memory_util; /* in units of 1 / FULL_USE */
};

static int by_time(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    return x->at_us == y->at_us ? 0 : x->at_us < y->at_us ? -1 : 1;
}

/* Adds what one process did on one device, up to end_us, as changes of the GPU's use. Returns their number. */
static size_t process_changes(const struct process *process, const struct record_device *device, int64_t slices,
                              uint64_t end_us, struct change *changes)
{
    const int64_t full_util = slices * device->util_permille, full_memory_util = slices * device->memory_util_permille;
    size_t n = 0;
    int64_t before = 0;
    for (uint32_t i = 0; i < process->segment_count && process->segments[i].from_us < end_us; i++) {
        int64_t activity = process->segments[i].activity_ppm;
        changes[n++] = (struct change){.at_us = process->segments[i].from_us,
                                       .util = (activity - before) * full_util,
                                       .memory_util = (activity - before) * full_memory_util};
        before = activity;
    }
    if (end_us != STILL_GOING && before != 0) {
        changes[n++] = (struct change){.at_us = end_us,
                                       .util = -before * full_util,
                                       .memory_util = -before * full_memory_util};
    }
    return n;
}

static double share(int64_t use)
{
    return use >= FULL_USE ? 1.0 : use <= 0 ? 0.0 : (double)use / (double)FULL_USE;
}

/*
 * Turns changes into pieces, one more than there are changes at most. A GPU cannot be more than fully used: where
 * several programs together want more, it is 100 %.
 */
static size_t sum_up(struct change *changes, size_t count, struct piece *pieces)
{
    if (count > 0) {
        qsort(changes, count, sizeof *changes, by_time);
    }
    size_t n = 1;
    pieces[0] = (struct piece){0};
    int64_t util = 0, memory_util = 0;
    for (size_t i = 0; i < count; i++) {
        util += changes[i].util;
        memory_util += changes[i].memory_util;
        if (i + 1 < count && changes[i + 1].at_us == changes[i].at_us) {
            continue;
        }
        const struct piece *last = &pieces[n - 1];
        double length = (double)(changes[i].at_us - last->from_us);
        pieces[n] = (struct piece){.from_us = changes[i].at_us,
                                   .util = share(util),
                                   .memory_util = share(memory_util),
                                   .util_sum = last->util_sum + last->util * length,
                                   .memory_util_sum = last->memory_util_sum + last->memory_util * length};
        n++;
    }
    return n;
}

static void build_timeline(const struct state *state, struct timeline *timeline)
{
    size_t most = 0;
    for (size_t i = 0; i < state->process_count; i++) {
        const struct process *process = &state->processes[i];
        if (!process->hidden && process_device(process, timeline) != NULL) {
            most += process->segment_count + 1;
        }
    }
    struct change *changes = malloc((most + 1) * sizeof *changes);
    struct piece *pieces = malloc((most + 1) * sizeof *pieces);
    if (changes == NULL || pieces == NULL) {
        free(changes);
        free(pieces);
        return;
    }
    /* First as far as heartbeats prove it, for the energy; then as far as it may be assumed. */
    for (int assumed = 0; assumed < 2; assumed++) {
        size_t n = 0;
        for (size_t i = 0; i < state->process_count; i++) {
            const struct process *process = &state->processes[i];
            const struct record_device *device = process_device(process, timeline);
            if (!process->hidden && device != NULL) {
                int64_t slices = timeline->partitioned ? timeline->slices[device->instance] : COMPUTE_SLICES;
                n += process_changes(process, device, slices, assumed ? process->end_us : process->heartbeat_us,
                                     changes + n);
            }
        }
        timeline->count = sum_up(changes, n, pieces);
        if (!assumed) {
            timeline->proved_us = pieces[timeline->count - 1].util_sum;
        }
    }
    for (size_t i = 0; i < state->retired_count; i++) {
        if (state->retired[i].minor == timeline->minor) {
            timeline->proved_us += state->retired[i].busy_us;
        }
    }
    free(changes);
    free(timeline->pieces);
    timeline->pieces = pieces;
}

/* Whether a program that was known has no file any more. */
static bool has_lost_any(const struct state *state)
{
    for (size_t i = 0; i < state->process_count; i++) {
        if (state->processes[i].devices != NULL) {
            return true;
        }
    }
    return false;
}

static void read_directory(struct state *state, struct timeline *timeline)
{
    struct process *processes = NULL;
    size_t count = 0, room = 0, retired_count = 0;
    uid_t retired_by[MAX_RETIRED];
    int file = openat(state->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = file >= 0 ? fdopendir(file) : NULL;
    if (directory == NULL && file >= 0) {
        close(file);
    }
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        struct process process = {0};
        unsigned uid;
        char again[64];
        if (sscanf(entry->d_name, "retired-%10u", &uid) == 1) {
            snprintf(again, sizeof again, "retired-%u", uid);
            if (strcmp(entry->d_name, again) == 0 && retired_count < MAX_RETIRED) {
                retired_by[retired_count++] = uid;
            }
            continue;
        }
        if (count == MAX_PROCESSES || !parse_name(entry->d_name, &process)) {
            continue;
        }
        if (count == room) {
            size_t more = room > 0 ? 2 * room : 64;
            struct process *larger = realloc(processes, more * sizeof *larger);
            if (larger == NULL) {
                break;
            }
            processes = larger;
            room = more;
        }
        if (take_file(state, entry->d_name, timeline, &process)) {
            processes[count++] = process;
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    const bool all = timeline == NULL || has_lost_any(state);
    forget_processes(state->processes, state->process_count);
    if (count > 0) {
        qsort(processes, count, sizeof *processes, by_identity);
    }
    state->processes = processes;
    state->process_count = count;
    for (size_t i = 0; i < state->timeline_count; i++) {
        state->timelines[i].stale = all || state->timelines[i].stale || &state->timelines[i] == timeline;
    }
    if (!all) {
        return; /* nobody can have retired a program while all files are there */
    }
    /* After the programs: whoever retires one writes here before the file goes, so none is missed or counted twice. */
    state->retired_count = 0;
    for (size_t i = 0; i < retired_count; i++) {
        take_retired(state, retired_by[i]);
    }
}

static void build(const struct state *state, struct timeline *timeline)
{
    if (timeline->stale) {
        timeline->stale = false;
        build_timeline(state, timeline);
    }
}

void state_refresh(struct state *state, struct timeline *timeline, uint64_t max_age_us)
{
    const uint64_t now = record_now_us();
    if (timeline != NULL && timeline->refreshed_us != 0 && now - timeline->refreshed_us < max_age_us) {
        build(state, timeline);
        return;
    }
    if (state->full_us == 0 || now - state->full_us >= TIDY_EVERY_US) {
        timeline = NULL;
    }
    struct stat status;
    if (state->directory >= 0 && (fstat(state->directory, &status) != 0 || status.st_nlink == 0)) {
        close(state->directory); /* removed, perhaps made anew */
        state->directory = -1;
    }
    if (state->directory < 0) {
        state->directory = open(state->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (state->directory >= 0) {
        read_directory(state, timeline);
    }
    state->full_us = timeline == NULL ? now : state->full_us;
    for (size_t i = 0; i < state->timeline_count; i++) {
        if (timeline == NULL || timeline == &state->timelines[i]) {
            state->timelines[i].refreshed_us = now;
            state->timelines[i].stale = true;
        }
    }
    if (timeline == NULL && now - state->tidied_us >= TIDY_EVERY_US) {
        state->tidied_us = now;
        state_tidy(state);
    }
    for (size_t i = 0; i < state->timeline_count; i++) {
        if (timeline == NULL || timeline == &state->timelines[i]) {
            build(state, &state->timelines[i]);
        }
    }
}

static bool may_retire(const struct process *process, uint64_t now)
{
    return !process->hidden && !process->alive && process->heartbeat_us + RETIRE_AFTER_US < now
           && (geteuid() == 0 || geteuid() == process->uid);
}

static void add_to_retired(struct retired *retired, uint32_t minor, double busy_us)
{
    uint32_t i = 0;
    while (i < retired->gpu_count && retired->gpus[i].minor != minor) {
        i++;
    }
    if (i < RECORD_DEVICES && busy_us > 0) {
        retired->gpu_count = i == retired->gpu_count ? i + 1 : retired->gpu_count;
        retired->gpus[i].minor = minor;
        retired->gpus[i].busy += (uint64_t)(busy_us * FULL_PERMILLE);
    }
}

static void unlink_process(const struct state *state, const struct process *process)
{
    char name[64];
    snprintf(name, sizeof name, "%d-%llu", (int)process->pid, (unsigned long long)process->start_ticks);
    unlinkat(state->directory, name, 0);
}

/* Called with the directory locked and freshly read. */
static void retire(struct state *state, uint64_t now)
{
    size_t leaving = 0;
    for (size_t i = 0; i < state->process_count && leaving < RETIRED_NAMES / 2; i++) {
        struct process *process = &state->processes[i];
        if (process->hidden && !process->alive && (geteuid() == 0 || geteuid() == process->uid)) {
            unlink_process(state, process); /* somebody wrote it down but did not get to remove it */
        }
        leaving += may_retire(process, now);
    }
    if (leaving == 0) {
        return;
    }
    struct retired retired;
    if (!read_retired(state, geteuid(), &retired)) {
        memset(&retired, 0, sizeof retired);
    }
    retired.magic = RETIRED_MAGIC;
    retired.version = RECORD_VERSION;
    retired.boot = state->boot;
    size_t *left = calloc(leaving, sizeof *left);
    double *before = calloc(state->timeline_count + 1, sizeof *before);
    char name[64];
    snprintf(name, sizeof name, "retired-%u", (unsigned)geteuid());
    int file = openat(state->directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    struct stat status;
    if (left != NULL && before != NULL && file >= 0 && fstat(file, &status) == 0 && status.st_uid == geteuid()) {
        for (size_t i = 0; i < state->timeline_count; i++) {
            before[i] = state->timelines[i].proved_us;
        }
        size_t n = 0;
        for (size_t i = 0; i < state->process_count && n < leaving; i++) {
            struct process *process = &state->processes[i];
            if (may_retire(process, now)) {
                process->hidden = true;
                retired.names[retired.name_count++ % RETIRED_NAMES] =
                    (struct retired_name){.pid = process->pid, .start_ticks = process->start_ticks};
                left[n++] = i;
            }
        }
        /* What they added beyond the others, where several programs overlapped on a full GPU. */
        for (size_t i = 0; i < state->timeline_count; i++) {
            build_timeline(state, &state->timelines[i]);
            add_to_retired(&retired, state->timelines[i].minor, before[i] - state->timelines[i].proved_us);
        }
        if (record_write(file, &retired, sizeof retired)) {
            for (size_t i = 0; i < n; i++) {
                unlink_process(state, &state->processes[left[i]]);
            }
        }
    }
    if (file >= 0) {
        close(file);
    }
    free(left);
    free(before);
}

void state_tidy(struct state *state)
{
    uint64_t now = record_now_us();
    bool any = false;
    for (size_t i = 0; i < state->process_count; i++) {
        any = any || may_retire(&state->processes[i], now);
    }
    /* A lock that somebody else holds, for whatever reason, only means that it is done another time. */
    if (!any || flock(state->directory, LOCK_EX | LOCK_NB) != 0) {
        return;
    }
    read_directory(state, NULL);
    for (size_t i = 0; i < state->timeline_count; i++) {
        build_timeline(state, &state->timelines[i]);
    }
    retire(state, now);
    read_directory(state, NULL);
    flock(state->directory, LOCK_UN);
}

static void sums_at(const struct timeline *timeline, uint64_t at_us, double *util, double *memory_util)
{
    size_t low = 0, high = timeline->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (timeline->pieces[middle].from_us <= at_us) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const struct piece *piece = &timeline->pieces[low];
    double length = (double)(at_us - piece->from_us);
    *util = piece->util_sum + piece->util * length;
    *memory_util = piece->memory_util_sum + piece->memory_util * length;
}

void timeline_mean(const struct timeline *timeline, uint64_t from_us, uint64_t to_us, double *util,
                   double *memory_util)
{
    *util = 0;
    *memory_util = 0;
    if (timeline->count == 0 || to_us <= from_us) {
        return;
    }
    double util_before, memory_before, util_after, memory_after;
    sums_at(timeline, from_us, &util_before, &memory_before);
    sums_at(timeline, to_us, &util_after, &memory_after);
    *util = (util_after - util_before) / (double)(to_us - from_us);
    *memory_util = (memory_after - memory_before) / (double)(to_us - from_us);
}

double process_activity(const struct process *process, uint64_t from_us, uint64_t to_us)
{
    double sum = 0;
    for (uint32_t i = 0; i < process->segment_count; i++) {
        uint64_t from = process->segments[i].from_us;
        uint64_t to = i + 1 < process->segment_count ? process->segments[i + 1].from_us : process->end_us;
        from = from < from_us ? from_us : from;
        to = to > to_us ? to_us : to;
        if (to > from) {
            sum += (double)process->segments[i].activity_ppm / FULL_ACTIVITY * (double)(to - from);
        }
    }
    return to_us > from_us ? sum / (double)(to_us - from_us) : 0;
}

double process_mean(const struct process *process, const struct record_device *device, uint64_t from_us,
                    uint64_t to_us)
{
    return process_activity(process, from_us, to_us) * device->util_permille / FULL_PERMILLE;
}

const struct record_device *process_device(const struct process *process, const struct timeline *timeline)
{
    for (uint32_t i = 0; i < process->device_count; i++) {
        const struct record_device *device = &process->devices[i];
        if (device->minor == timeline->minor) {
            bool there = timeline->partitioned
                             ? device->instance != WHOLE_GPU && timeline->slices[device->instance] > 0
                             : device->instance == WHOLE_GPU;
            return there ? device : NULL;
        }
    }
    return NULL;
}
