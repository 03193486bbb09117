/*
 * The file format between simgpu, which writes, and the library, which reads.
 *
 * DIRECTORY/procs/ (mode 1777) holds one file per simulated GPU program, named PID-STARTTICKS after the process and its
 * start time (field 22 of /proc/PID/stat), so that a reused pid is another file. It is always sizeof(struct record)
 * long, is rewritten as a whole several times per second, and starts with a checksum of all the rest, by which a reader
 * notices that it read in the middle of a write.
 *
 * A record holds the devices that the program took and what it did with them: segments of constant activity since it
 * took them. Utilisation of a device at a time = its util_permille x the activity then, and so for the other shares. On
 * a partitioned (MIG) GPU the device is one instance, and its shares are of that instance. A program that is stopped or
 * killed writes nothing more, so its history ends with its last heartbeat; if it wakes up again it adds an idle segment
 * for the time in between. When the segments are full the two oldest become one with their mean activity.
 *
 * DIRECTORY/procs/retired-UID keeps what programs that ended long ago added to each GPU's energy counter, so that their
 * files can be removed without the counter falling. Whoever removes a file (its owner, or root) writes that first.
 *
 * All times are CLOCK_MONOTONIC in microseconds; numbers have the machine's byte order.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define RECORD_MAGIC 0x55504753U  /* "SGPU" */
#define RETIRED_MAGIC 0x54455253U /* "SRET" */
#define RECORD_VERSION 2U
#define RECORD_DEVICES 32
#define RECORD_SEGMENTS 512
#define RETIRED_NAMES 256
#define FULL_ACTIVITY 1000000U
#define FULL_PERMILLE 1000U
#define HEARTBEAT_US 250000U
#define MAX_INSTANCE 13U
#define WHOLE_GPU 0xFFFFFFFFU
#define GRACE_US 1500000U /* so long without a heartbeat, a program counts as working on as before */

/* What of a GPU a program keeps busy, beside the time in which any kernel runs; the order of record_device.shares. */
enum record_share { SHARE_SM, SHARE_OCCUPANCY, SHARE_TENSOR, SHARE_DRAM, SHARE_FP64, SHARE_FP32, SHARE_FP16, SHARE_INTEGER, SHARES };

/* In which of the driver's lists the program stands. */
enum record_kind { KIND_COMPUTE, KIND_GRAPHICS, KIND_MPS_CLIENT, KIND_MPS_SERVER, KINDS };

struct record_device {
    uint32_t minor;
    uint32_t instance; /* GPU instance id, at most MAX_INSTANCE, or WHOLE_GPU */
    uint64_t memory_bytes;
    uint16_t util_permille, memory_util_permille;
    uint16_t shares[SHARES]; /* permille, see enum record_share */
    uint16_t kind;           /* enum record_kind */
    uint32_t unused;
};

struct record_segment {
    uint64_t from_us;
    uint32_t activity_ppm;
    uint32_t unused;
};

struct record {
    uint64_t checksum;
    uint32_t magic, version;
    uint64_t boot; /* hash of the kernel's boot id: times of another boot mean nothing */
    uint64_t start_ticks;
    int32_t pid;
    uint32_t ended; /* 1 once the program has let go of its devices */
    uint64_t heartbeat_us;
    uint32_t device_count, segment_count;
    struct record_device devices[RECORD_DEVICES];
    struct record_segment segments[RECORD_SEGMENTS];
};

struct retired_gpu {
    uint32_t minor, unused;
    uint64_t busy; /* permille x microseconds */
};

struct retired_name {
    uint64_t start_ticks;
    int32_t pid;
    uint32_t unused;
};

struct retired {
    uint64_t checksum;
    uint32_t magic, version;
    uint64_t boot;
    uint32_t gpu_count, name_count; /* name_count grows for ever; name i lies at i % RETIRED_NAMES */
    struct retired_gpu gpus[RECORD_DEVICES];
    struct retired_name names[RETIRED_NAMES];
};

/* FNV-1a with a finishing mix; equal on all machines. */
uint64_t record_hash(uint64_t seed, const void *data, size_t length);

uint64_t record_boot(void);
uint64_t record_now_us(void);

/*
 * Reads a whole file of exactly that size that starts with a checksum of the rest. False if it is not a plain file of
 * that size and content. Never blocks, whatever lies there.
 */
bool record_read(int directory, const char *name, void *data, size_t size, struct stat *status);

/* Completes the checksum and writes all of it at the start of the open file. */
bool record_write(int file, void *data, size_t size);

/* Start time in ticks of a process that exists and is not a zombie; false if there is none. */
bool record_process_start(pid_t pid, uint64_t *ticks);

/* Effective user of a process. */
bool record_process_user(pid_t pid, uid_t *uid);

#endif
