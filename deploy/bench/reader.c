/* reader: the least that anybody can pay for a node's figures. Opens, reads and closes /proc/PID/stat of every process
 * and each file that it was given, every period, and throws away what it read.
 *
 * usage: reader SECONDS LIST      LIST is a file with one path per line */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char buffer[64 * 1024];
static long files;

static void read_file(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    while (read(fd, buffer, sizeof buffer) > 0) {
    }
    close(fd);
    files++;
}

static void read_processes(void) {
    DIR *proc = opendir("/proc");
    if (!proc) {
        return;
    }
    for (struct dirent *entry = readdir(proc); entry; entry = readdir(proc)) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            char path[300];
            snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
            read_file(path);
        }
    }
    closedir(proc);
}

int main(int count, char **words) {
    if (count != 3) {
        fprintf(stderr, "usage: reader SECONDS LIST\n");
        return 2;
    }
    FILE *list = fopen(words[2], "r");
    char **paths = NULL, line[4096];
    size_t known = 0;
    if (!list) {
        perror(words[2]);
        return 1;
    }
    while (fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = 0;
        paths = realloc(paths, (known + 1) * sizeof *paths);
        if (!paths || !(paths[known++] = strdup(line))) {
            return 1;
        }
    }
    fclose(list);
    double seconds = atof(words[1]);
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (;;) {
        files = 0;
        read_processes();
        for (size_t i = 0; i < known; i++) {
            read_file(paths[i]);
        }
        printf("%ld\n", files);
        fflush(stdout);
        long nanos = next.tv_nsec + (long)((seconds - (double)(long)seconds) * 1e9);
        next.tv_sec += (long)seconds + nanos / 1000000000L;
        next.tv_nsec = nanos % 1000000000L;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}
