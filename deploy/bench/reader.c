/* reader: the least that anybody can pay for a node's figures. Opens, reads and closes, every period, /proc/PID/stat of
 * processes and each file that it was given, lists the directories among them, and throws away what it read.
 *
 * usage: reader SECONDS LIST all|like-agent [WARM]
 *
 * LIST is a file with one path per line; a path that ends with a slash is a directory. With "all" it reads every process;
 * with "like-agent" it leaves those that sleep alone as the agent does (Watched.java): after two looks that found nothing
 * new it looks every 4th period, then every 8th, and processes in jobs every 16th in the end. WARM periods come at once,
 * without a wait, and the next one looks at everybody. Prints for each period how many files it has read. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PIDS = 1 << 22, ASLEEP_AFTER = 2, FIRST_EVERY = 4, OUTSIDE_EVERY = 8, IN_JOB_EVERY = 16 };

/* what is known of a process by its pid, which does not come back within a benchmark */
struct known {
    unsigned long long line; /* hash of what was read last; 0: not seen yet */
    unsigned unchanged;
    bool in_job;
};

static struct known *known;
static char buffer[64 * 1024];
static long files;
static long period;

static ssize_t read_file(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = 0, more;
    if (fd < 0) {
        return -1;
    }
    while ((more = read(fd, buffer, sizeof buffer - 1)) > 0) {
        length = more;
    }
    close(fd);
    files++;
    return length;
}

static void list(const char *path) {
    DIR *directory = opendir(path);
    if (directory) {
        while (readdir(directory)) {
        }
        closedir(directory);
    }
}

static bool is_due(const struct known *process, long pid) {
    if (process->unchanged < ASLEEP_AFTER) {
        return true;
    }
    unsigned most = process->in_job ? IN_JOB_EVERY : OUTSIDE_EVERY, looks = (process->unchanged - ASLEEP_AFTER) / 2;
    unsigned every = looks >= 2 ? most : (unsigned)FIRST_EVERY << looks;
    return (period + pid) % (every < most ? every : most) == 0;
}

static void read_process(const char *name, bool all, bool everybody) {
    long pid = atol(name);
    struct known *process = &known[pid % MOST_PIDS];
    char path[300];
    if (!all && process->line == 0) {
        snprintf(path, sizeof path, "/proc/%s/cgroup", name);
        ssize_t length = read_file(path);
        buffer[length < 0 ? 0 : length] = 0;
        process->in_job = strstr(buffer, "/job_") != NULL;
    } else if (!all && !everybody && !is_due(process, pid)) {
        return;
    }
    snprintf(path, sizeof path, "/proc/%s/stat", name);
    ssize_t length = read_file(path);
    unsigned long long hash = 1469598103934665603ULL;
    for (ssize_t i = 0; i < length && !all; i++) {
        hash = (hash ^ (unsigned char)buffer[i]) * 1099511628211ULL;
    }
    process->unchanged = hash == process->line ? process->unchanged + 1 : 0;
    process->line = hash;
}

static void read_processes(bool all, bool everybody) {
    DIR *proc = opendir("/proc");
    if (!proc) {
        return;
    }
    for (struct dirent *entry = readdir(proc); entry; entry = readdir(proc)) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            read_process(entry->d_name, all, everybody);
        }
    }
    closedir(proc);
}

int main(int count, char **words) {
    if (count < 4 || count > 5) {
        fprintf(stderr, "usage: reader SECONDS LIST all|like-agent [WARM]\n");
        return 2;
    }
    FILE *given = fopen(words[2], "r");
    char **paths = NULL, line[4096];
    size_t known_paths = 0;
    bool all = strcmp(words[3], "all") == 0;
    long warm = count == 5 ? atol(words[4]) : 0;
    if (!given) {
        perror(words[2]);
        return 1;
    }
    while (fgets(line, sizeof line, given)) {
        line[strcspn(line, "\n")] = 0;
        paths = realloc(paths, (known_paths + 1) * sizeof *paths);
        if (!paths || !(paths[known_paths++] = strdup(line))) {
            return 1;
        }
    }
    fclose(given);
    known = calloc(MOST_PIDS, sizeof *known);
    if (!known) {
        return 1;
    }
    double seconds = atof(words[1]);
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (period = 1;; period++) {
        files = 0;
        read_processes(all, period == warm + 1);
        for (size_t i = 0; i < known_paths; i++) {
            size_t length = strlen(paths[i]);
            if (length > 0 && paths[i][length - 1] == '/') {
                list(paths[i]);
            } else {
                read_file(paths[i]);
            }
        }
        if (period <= warm) {
            continue;
        }
        printf("%ld\n", files);
        fflush(stdout);
        long nanos = next.tv_nsec + (long)((seconds - (double)(long)seconds) * 1e9);
        next.tv_sec += (long)seconds + nanos / 1000000000L;
        next.tv_nsec = nanos % 1000000000L;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}
