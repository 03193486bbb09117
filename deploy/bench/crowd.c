/* crowd: the processes of a busy node. Starts them, spread over users and over Slurm-shaped job cgroups, and holds them
 * until it is killed; with --churn some end and begin all the time, and whole jobs with them. Made for deploy/bench/agent,
 * which gives it namespaces of its own; needs root.
 *
 * usage: crowd --cgroups DIR [--processes N] [--users N] [--jobs N] [--gpus N] [--gpu-program PATH] [--churn MILLIS]
 *
 * Three quarters of the processes are in jobs, the others are not; one in ten of the jobs' works a little, the others
 * sleep. Each job has an extern and a batch step with a
 * slurmstepd of root's for each; the first jobs have one process that uses a GPU. A line "ready" tells that all stand. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_UID = 22000, FIRST_JOB = 748001, MOST_HIERARCHIES = 8, THREADS = 8, PATH_BYTES = 512 };

/* what a process is in its job */
enum kind { OUTSIDE, EXTERN_STEPD, EXTERN_SLEEP, BATCH_STEPD, GPU, WORK };

struct process {
    pid_t pid;
    int job; /* position among the jobs; -1: none */
    enum kind kind;
};

struct job {
    long id;
    int uid;
};

/* a mounted hierarchy in which jobs have directories */
struct hierarchy {
    char path[PATH_BYTES / 2];
    bool v2;
    bool tasks; /* v1: whether Slurm makes a directory for each task here */
};

static struct hierarchy hierarchies[MOST_HIERARCHIES];
static int hierarchy_count;
static struct process *processes;
static int process_count = 2000;
static struct job *jobs;
static int job_count = 40;
static int user_count = 20;
static int gpu_count;
static const char *gpu_program;
static long next_job = FIRST_JOB;

static void die(const char *what) {
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static bool exists(const char *path) { return access(path, F_OK) == 0; }

static bool write_file(const char *directory, const char *name, const char *text) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool written = write(fd, text, strlen(text)) >= 0;
    close(fd);
    return written;
}

static void copy_file(const char *from, const char *to, const char *name) {
    char path[PATH_BYTES], text[4096];
    snprintf(path, sizeof path, "%s/%s", from, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length > 0) {
        text[length] = 0;
        write_file(to, name, text);
    }
}

/* Makes one directory below another, with what its controllers want before a process may enter. */
static void make(char *path, const char *name) {
    char parent[PATH_BYTES];
    memcpy(parent, path, PATH_BYTES);
    size_t length = strlen(path);
    snprintf(path + length, PATH_BYTES - length, "/%s", name);
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        die(path);
    }
    copy_file(parent, path, "cpuset.cpus");
    copy_file(parent, path, "cpuset.mems");
}

/* The directory of a process of that kind in that job, made if it is missing. */
static void place(const struct hierarchy *h, const struct job *job, enum kind kind, char *path) {
    char user[32], id[32];
    const char *step = kind == EXTERN_STEPD || kind == EXTERN_SLEEP ? "step_extern" : "step_batch";
    bool stepd = kind == EXTERN_STEPD || kind == BATCH_STEPD;
    snprintf(user, sizeof user, "uid_%d", job->uid);
    snprintf(id, sizeof id, "job_%ld", job->id);
    memset(path, 0, PATH_BYTES);
    snprintf(path, PATH_BYTES, "%s", h->path);
    if (h->v2) {
        const char *controllers[] = {"+cpu", "+memory", "+io", "+pids"};
        const char *above[] = {"system.slice", "slurmstepd.scope", id};
        for (int i = 0; i < 3; i++) {
            for (int c = 0; c < 4; c++) {
                write_file(path, "cgroup.subtree_control", controllers[c]);
            }
            make(path, above[i]);
        }
        write_file(path, "memory.max", "68719476736");
        make(path, step);
        if (stepd) {
            make(path, "slurm");
        } else {
            make(path, "user");
            make(path, "task_0");
        }
        return;
    }
    make(path, "slurm");
    make(path, user);
    make(path, id);
    write_file(path, "memory.limit_in_bytes", "68719476736");
    if (stepd && !h->tasks) {
        return;
    }
    make(path, step);
    if (!stepd && h->tasks) {
        make(path, "task_0");
    }
}

static void join(const struct job *job, enum kind kind) {
    char path[PATH_BYTES], pid[32];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    for (int i = 0; i < hierarchy_count; i++) {
        place(&hierarchies[i], job, kind, path);
        if (!write_file(path, "cgroup.procs", pid)) {
            die(path);
        }
    }
}

/* Works half a millisecond of each second, so that its CPU time moves from one snapshot to the next. */
static void work_a_little(unsigned seed) {
    struct timespec second = {0, 900000000 + (long)(seed % 1000) * 100000}, from, now;
    for (;;) {
        nanosleep(&second, NULL);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        do {
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        } while ((now.tv_sec - from.tv_sec) * 1000000000L + now.tv_nsec - from.tv_nsec < 500000);
    }
}

static void *sleep_for_ever(void *unused) {
    for (;;) {
        pause();
    }
    return unused;
}

static void become(const struct process *process, unsigned seed) {
    static const char *names[] = {"python", "python3", "pt_data_worker", "bash", "ray::IDLE", "jupyter-lab", "R"};
    int uid = FIRST_UID + (int)(seed % (unsigned)user_count);
    bool stepd = process->kind == EXTERN_STEPD || process->kind == BATCH_STEPD;
    const char *name = names[seed % 7];
    if (process->job >= 0) {
        join(&jobs[process->job], process->kind);
        uid = jobs[process->job].uid;
        name = stepd ? "slurmstepd" : process->kind == EXTERN_SLEEP ? "sleep" : name;
    }
    size_t bytes = (64 + seed % 700) * 1024;
    char *memory = malloc(bytes);
    if (memory) {
        memset(memory, 1, bytes);
    }
    for (volatile unsigned i = 0; i < 200000 + seed % 400000; i++) {
    }
    if (!stepd && (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)) {
        die("setresuid");
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (process->kind == GPU) {
        char device[16], util[16];
        snprintf(device, sizeof device, "%d", process->job);
        snprintf(util, sizeof util, "%d", 20 + process->job * 5);
        execl(gpu_program, "simgpu", "--devices", device, "--util", util, "--mem", "20GiB", "--busy", "7s", "--idle",
              "3s", (char *)NULL);
        die(gpu_program);
    }
    prctl(PR_SET_NAME, name);
    if (process->kind == WORK && seed % 10 == 0) {
        pthread_attr_t small;
        pthread_t thread;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 64 * 1024);
        for (int i = 0; i < THREADS; i++) {
            pthread_create(&thread, &small, sleep_for_ever, NULL);
        }
    }
    if (process->kind == WORK && seed % 10 == 1) {
        work_a_little(seed);
    }
    sleep_for_ever(NULL);
}

static void begin(struct process *process) {
    unsigned seed = (unsigned)rand();
    process->pid = fork();
    if (process->pid < 0) {
        die("fork");
    }
    if (process->pid == 0) {
        become(process, seed);
    }
}

static void end(struct process *process) {
    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
}

static void begin_job(struct job *job) {
    job->id = next_job++;
    job->uid = FIRST_UID + (int)(job->id % user_count);
}

/* Removes a job's directories, deepest first; what is busy still goes with the namespace's end. */
static void remove_job(const struct job *job) {
    static const enum kind kinds[] = {EXTERN_SLEEP, EXTERN_STEPD, WORK, BATCH_STEPD};
    char path[PATH_BYTES], id[32];
    snprintf(id, sizeof id, "job_%ld", job->id);
    for (int i = 0; i < hierarchy_count; i++) {
        for (int k = 0; k < 4; k++) {
            place(&hierarchies[i], job, kinds[k], path);
            for (char *name = strrchr(path, '/'); rmdir(path) == 0 && strcmp(name + 1, id) != 0;
                 name = strrchr(path, '/')) {
                *name = 0;
            }
        }
    }
}

/* One percent of the processes make room for others; every tenth time a job does. */
static void churn(unsigned round) {
    for (int i = 0; i < process_count / 100 + 1; i++) {
        struct process *process = &processes[rand() % process_count];
        if (process->kind == WORK || process->kind == OUTSIDE) {
            end(process);
            begin(process);
        }
    }
    if (round % 10 == 0 && job_count > 0) {
        int job = rand() % job_count;
        for (int i = 0; i < process_count; i++) {
            if (processes[i].job == job) {
                kill(processes[i].pid, SIGKILL);
            }
        }
        for (int i = 0; i < process_count; i++) {
            if (processes[i].job == job) {
                waitpid(processes[i].pid, NULL, 0);
            }
        }
        remove_job(&jobs[job]);
        begin_job(&jobs[job]);
        for (int i = 0; i < process_count; i++) {
            if (processes[i].job == job) {
                begin(&processes[i]);
            }
        }
    }
}

static void find_hierarchies(const char *root) {
    static const char *v1[] = {"freezer", "memory", "cpuacct", "cpu,cpuacct", "cpuset", "devices", "blkio"};
    char path[PATH_BYTES];
    for (int i = 0; i < 7; i++) {
        snprintf(path, sizeof path, "%s/%s/cgroup.procs", root, v1[i]);
        if (exists(path)) {
            struct hierarchy *h = &hierarchies[hierarchy_count++];
            snprintf(h->path, sizeof h->path, "%s/%s", root, v1[i]);
            h->v2 = false;
            h->tasks = strcmp(v1[i], "freezer") != 0 && strcmp(v1[i], "cpuset") != 0;
        }
    }
    snprintf(path, sizeof path, "%s/cgroup.controllers", root);
    if (hierarchy_count == 0 && exists(path)) {
        struct hierarchy *h = &hierarchies[hierarchy_count++];
        snprintf(h->path, sizeof h->path, "%s", root);
        h->v2 = true;
    }
}

int main(int count, char **words) {
    const char *cgroups = NULL;
    int churn_millis = 0;
    for (int i = 1; i + 1 < count; i += 2) {
        const char *word = words[i], *value = words[i + 1];
        if (strcmp(word, "--cgroups") == 0) {
            cgroups = value;
        } else if (strcmp(word, "--processes") == 0) {
            process_count = atoi(value);
        } else if (strcmp(word, "--users") == 0) {
            user_count = atoi(value);
        } else if (strcmp(word, "--jobs") == 0) {
            job_count = atoi(value);
        } else if (strcmp(word, "--gpus") == 0) {
            gpu_count = atoi(value);
        } else if (strcmp(word, "--gpu-program") == 0) {
            gpu_program = value;
        } else if (strcmp(word, "--churn") == 0) {
            churn_millis = atoi(value);
        } else {
            fprintf(stderr, "crowd: unknown word: %s\n", word);
            return 2;
        }
    }
    if (!cgroups || process_count < 4 * job_count + gpu_count || user_count < 1 || gpu_count > job_count) {
        fprintf(stderr, "crowd: expected --cgroups, at least 4 processes for each job, and a job for each GPU\n");
        return 2;
    }
    find_hierarchies(cgroups);
    if (hierarchy_count == 0) {
        fprintf(stderr, "crowd: no cgroups below %s\n", cgroups);
        return 1;
    }
    srand(4711);
    jobs = calloc((size_t)job_count + 1, sizeof *jobs);
    processes = calloc((size_t)process_count, sizeof *processes);
    if (!jobs || !processes) {
        die("memory");
    }
    for (int i = 0; i < job_count; i++) {
        begin_job(&jobs[i]);
    }
    int in_jobs = process_count - process_count / 4;
    for (int i = 0; i < process_count; i++) {
        struct process *process = &processes[i];
        int turn = job_count > 0 ? i / job_count : 0;
        process->job = i < in_jobs && job_count > 0 ? i % job_count : -1;
        process->kind = process->job < 0                       ? OUTSIDE
                        : turn == 0                            ? EXTERN_STEPD
                        : turn == 1                            ? EXTERN_SLEEP
                        : turn == 2                            ? BATCH_STEPD
                        : turn == 3 && process->job < gpu_count ? GPU
                                                               : WORK;
        begin(process);
    }
    sleep(1);
    printf("ready\n");
    fflush(stdout);
    struct timespec wait = {churn_millis / 1000, churn_millis % 1000 * 1000000L};
    for (unsigned round = 1; churn_millis > 0; round++) {
        nanosleep(&wait, NULL);
        churn(round);
    }
    for (;;) {
        pause();
    }
}
