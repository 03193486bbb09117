package io.fairwatch.fleet;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Slurm's side of the fleet: knows every job and answers stand-ins of {@code squeue}, {@code sinfo}, {@code sacct},
 * {@code scontrol show config} and {@code sacctmgr show} by HTTP on the loopback interface. Thread-safe.
 */
final class SlurmSource {
    /** How long Slurm remembers an ended job. */
    private static final Duration REMEMBERED = Duration.ofMinutes(5);

    private static final Pattern AGO = Pattern.compile("now-(\\d{1,10})");
    private static final Pattern DELIMITER = Pattern.compile("--delimiter=(.{1,80})");
    private static final String ESCAPED = "[^A-Za-z0-9_,=.+:/ -]";

    private record RunId(long job, Instant start) {}

    /** A job beside its record, which is written once, when it is first asked for, because it is long. */
    private final class Told {
        private final Job job;
        private @Nullable Buffer record;

        Told(Job job) {
            this.job = job;
        }

        Job job() {
            return job;
        }

        /** Two who ask at the same time both write it, and write the same. */
        Buffer record() {
            Buffer written = record;
            if (written == null) {
                written = write(fields(job, "RUNNING", true));
                record = written;
            }
            return written;
        }
    }

    private final Site site;
    private final InstantSource clock;
    private final ObjectMapper json = new ObjectMapper();
    private final Map<RunId, Told> live = new ConcurrentHashMap<>();
    private final ConcurrentLinkedDeque<Job> ended = new ConcurrentLinkedDeque<>();

    /**
     * @param clock the cluster's time, which may run through its history
     */
    SlurmSource(Site site, InstantSource clock) {
        this.site = site;
        this.clock = clock;
    }

    void began(Job job) {
        live.put(new RunId(job.id(), job.start()), new Told(job));
    }

    void ended(Job job) {
        live.remove(new RunId(job.id(), job.start()));
        ended.add(job);
    }

    /** How many jobs run or wait. */
    int liveJobs() {
        return live.size();
    }

    /** Answers on a port of the loopback interface and leaves the stand-ins in a directory. */
    Future<HttpServer> listen(Vertx vertx, int port, Path binaries) throws IOException {
        Files.createDirectories(binaries);
        for (String command : List.of("squeue", "sinfo", "sacct", "scontrol", "sacctmgr")) {
            Path script = binaries.resolve(command);
            // the arguments travel line by line, so that no shell and no URL ever reads them
            Files.writeString(
                    script,
                    "#!/bin/sh\n# stand-in of the simulated cluster\nprintf '%s\\n' \"$@\" | exec curl -sS --fail"
                            + " --data-binary @- http://127.0.0.1:" + port + "/" + command + "\n");
            Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        return vertx.createHttpServer(
                        new HttpServerOptions().setHost("127.0.0.1").setPort(port))
                .requestHandler(request -> request.body()
                        .compose(body -> vertx.executeBlocking(
                                () -> answer(request.path(), body.toString(StandardCharsets.UTF_8)), false))
                        .onSuccess(text -> request.response().end(text))
                        .onFailure(cause -> refuse(request, cause)))
                .listen();
    }

    private static void refuse(HttpServerRequest request, Throwable cause) {
        request.response().setStatusCode(500).end(cause + "\n");
    }

    private Buffer answer(String path, String arguments) {
        return switch (path) {
            case "/squeue" -> squeue();
            case "/sinfo" -> Buffer.buffer(sinfo());
            case "/sacct" -> Buffer.buffer(sacct(arguments));
            case "/scontrol" -> Buffer.buffer("ClusterName = " + site.cluster() + "\nPrivateData = none\n");
            case "/sacctmgr" -> Buffer.buffer(sacctmgr(arguments));
            default -> throw new IllegalArgumentException("no such command: " + path);
        };
    }

    // ---- squeue --json, as 22.05 prints it

    private static final String HEAD = """
            {"meta": {"plugin": {"type": "openapi/v0.0.38", "name": "Slurm OpenAPI v0.0.38"},
            "Slurm": {"version": {"major": 22, "micro": 8, "minor": 5}, "release": "22.05.8"}}, "errors": [],
            """;

    private Buffer squeue() {
        Instant now = clock.instant();
        Buffer text = Buffer.buffer(1 << 20).appendString(HEAD).appendString("\"jobs\": [\n");
        String between = "";
        for (Told told : live.values()) {
            if (!told.job().submit().isAfter(now)) {
                text.appendString(between)
                        .appendBuffer(told.job().start().isAfter(now) ? state(told.job(), now) : told.record());
                between = ",\n";
            }
        }
        for (var newest = ended.descendingIterator(); newest.hasNext(); ) {
            Job job = newest.next();
            if (job.end().plus(REMEMBERED).isBefore(now) && !recent(job, now)) {
                break;
            }
            if (!job.requeued() && !job.end().plus(REMEMBERED).isBefore(now)) {
                text.appendString(between).appendBuffer(state(job, now));
                between = ",\n";
            }
        }
        return text.appendString("\n]}\n");
    }

    /** Nodes are played one after another, so their ended jobs are in order only roughly. */
    private static boolean recent(Job job, Instant now) {
        return job.end().plus(REMEMBERED.multipliedBy(12)).isAfter(now);
    }

    private Buffer state(Job job, Instant now) {
        boolean waits = job.start().isAfter(now);
        return write(fields(job, waits ? "PENDING" : "COMPLETED", false));
    }

    private Buffer write(Map<String, Object> fields) {
        try {
            return Buffer.buffer(json.writeValueAsBytes(fields));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private Map<String, Object> fields(Job job, String state, boolean running) {
        Map<String, Object> fields = new LinkedHashMap<>();
        boolean waits = state.equals("PENDING");
        String node = job.node().name();
        fields.put("account", job.user().account());
        fields.put("accrue_time", job.submit().getEpochSecond());
        fields.put("array_job_id", 0);
        fields.put("array_task_id", null);
        fields.put("array_task_string", "");
        fields.put("batch_flag", !job.name().startsWith("notebook"));
        fields.put("cluster", site.cluster());
        fields.put("eligible_time", job.submit().getEpochSecond());
        fields.put("end_time", (running ? job.start().plus(job.limit()) : job.end()).getEpochSecond());
        fields.put(
                "gres_detail",
                running && !job.gpus().isEmpty()
                        ? List.of("gpu:" + job.node().model().type() + ":"
                                + job.gpus().size() + "(IDX:"
                                + job.gpus().stream().map(String::valueOf).collect(Collectors.joining(",")) + ")")
                        : List.of());
        fields.put("job_id", job.id());
        if (running) {
            fields.put(
                    "job_resources",
                    Map.of(
                            "nodes",
                            node,
                            "allocated_cpus",
                            job.cpus(),
                            "allocated_hosts",
                            1,
                            "allocated_nodes",
                            List.of(Map.of(
                                    "sockets",
                                    sockets(job.cpus()),
                                    "nodename",
                                    node,
                                    "cpus_used",
                                    job.cpus(),
                                    "memory_allocated",
                                    job.memoryBytes() >> 20))));
        }
        fields.put("job_state", state);
        fields.put("name", job.name());
        fields.put("nodes", waits ? "" : node);
        fields.put("cpus", job.cpus());
        fields.put("node_count", 1);
        fields.put("het_job_id", 0);
        fields.put("het_job_offset", 0);
        fields.put("partition", job.gpus().isEmpty() ? "cpu" : "prioritized");
        fields.put("pre_sus_time", 0);
        fields.put("qos", "normal");
        fields.put("resize_time", 0);
        fields.put("start_time", waits ? 0 : job.start().getEpochSecond());
        fields.put("state_reason", waits ? "Resources" : "None");
        fields.put("submit_time", job.submit().getEpochSecond());
        fields.put("suspend_time", 0);
        fields.put("time_limit", job.limit().toMinutes());
        fields.put("tres_req_str", tres(job));
        fields.put("tres_alloc_str", waits ? "" : tres(job));
        fields.put("user_id", job.user().uid());
        fields.put("user_name", job.user().name());
        OTHERS.forEach(name -> fields.putIfAbsent(name, null));
        fields.put("current_working_directory", "/home/" + job.user().name() + "/experiments");
        fields.put("standard_output", "/home/" + job.user().name() + "/experiments/%x-%j.out");
        return fields;
    }

    /** Slurm tells each core of each socket, which is most of a large job's record. */
    private static Map<String, Object> sockets(int cpus) {
        Map<String, String> cores = new LinkedHashMap<>();
        for (int i = 0; i < cpus; i++) {
            cores.put(Integer.toString(i), "allocated");
        }
        return Map.of("0", Map.of("cores", cores));
    }

    /** Fields that the collector has no use for, but must read over. */
    private static final List<String> OTHERS = List.of(
            "admin_comment",
            "array_max_tasks",
            "association_id",
            "batch_features",
            "batch_host",
            "flags",
            "burst_buffer",
            "burst_buffer_state",
            "cluster_features",
            "command",
            "comment",
            "container",
            "contiguous",
            "core_spec",
            "thread_spec",
            "cores_per_socket",
            "billable_tres",
            "cpus_per_task",
            "cpu_frequency_minimum",
            "cpu_frequency_maximum",
            "cpu_frequency_governor",
            "cpus_per_tres",
            "deadline",
            "delay_boot",
            "dependency",
            "derived_exit_code",
            "excluded_nodes",
            "exit_code",
            "features",
            "federation_origin",
            "federation_siblings_active",
            "federation_siblings_viable",
            "group_id",
            "group_name",
            "last_sched_evaluation",
            "licenses",
            "max_cpus",
            "max_nodes",
            "mcs_label",
            "memory_per_tres",
            "nice",
            "tasks_per_core",
            "tasks_per_node",
            "tasks_per_socket",
            "tasks_per_board",
            "tasks",
            "het_job_id_set",
            "prefer",
            "memory_per_node",
            "memory_per_cpu",
            "minimum_cpus_per_node",
            "minimum_tmp_disk_per_node",
            "preempt_time",
            "priority",
            "profile",
            "reboot",
            "required_nodes",
            "requeue",
            "restart_cnt",
            "resv_name",
            "shared",
            "show_flags",
            "sockets_per_board",
            "sockets_per_node",
            "state_description",
            "standard_error",
            "standard_input",
            "system_comment",
            "time_minimum",
            "threads_per_core",
            "tres_bind",
            "tres_freq",
            "tres_per_job",
            "tres_per_node",
            "tres_per_socket",
            "tres_per_task",
            "wckey");

    private static String tres(Job job) {
        String base = "cpu=" + job.cpus() + ",mem=" + (job.memoryBytes() >> 20) + "M,node=1,billing=" + job.cpus();
        return job.gpus().isEmpty()
                ? base
                : base + ",gres/gpu=" + job.gpus().size() + ",gres/gpu:"
                        + job.node().model().type() + "=" + job.gpus().size();
    }

    // ---- sinfo --json

    private byte[] sinfo() {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("meta", Map.of("Slurm", Map.of("release", "22.05.8")));
        answer.put("errors", List.of());
        answer.put(
                "nodes",
                site.nodes().stream()
                        .map(node -> Map.of(
                                "name",
                                node.name(),
                                "state",
                                "mixed",
                                "state_flags",
                                List.of(),
                                "cpus",
                                node.cpus(),
                                "real_memory",
                                node.memoryBytes() >> 20,
                                "gres",
                                node.gpus() == 0 ? "" : "gpu:" + node.model().type() + ":" + node.gpus()))
                        .toList());
        try {
            return json.writeValueAsBytes(answer);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    // ---- sacct -X -D -P, with the collector's columns

    /** Understands what the collector asks: a delimiter, columns, and either a window or job ids. */
    private String sacct(String arguments) {
        List<String> words = List.of(arguments.split("\n", -1));
        String delimiter = words.stream()
                .map(DELIMITER::matcher)
                .filter(Matcher::matches)
                .map(matcher -> matcher.group(1))
                .findFirst()
                .orElse("|");
        List<String> columns = words.stream()
                .filter(word -> word.startsWith("--format="))
                .findFirst()
                .map(word -> List.of(word.substring("--format=".length()).split(",", -1)))
                .orElse(List.of("JobIDRaw"));
        Instant now = clock.instant();
        Instant from = ago(after(words, "-S"), Instant.now(), Instant.EPOCH);
        Instant to = ago(after(words, "-E"), Instant.now(), Instant.MAX);
        String ids = after(words, "-j");
        Set<String> asked = Set.of(ids.split(",", -1).length == 0 ? new String[0] : distinct(ids));
        StringBuilder text = new StringBuilder();
        for (Job job : ended) {
            boolean wanted = ids.isEmpty()
                    ? !job.end().isBefore(from) && job.submit().isBefore(to)
                    : asked.contains(Long.toString(job.id()));
            if (wanted && !job.end().isAfter(now)) {
                text.append(columns.stream().map(column -> cell(job, column)).collect(Collectors.joining(delimiter)))
                        .append('\n');
            }
        }
        return text.toString();
    }

    // ---- sacctmgr -P -n show, with the collector's columns

    private String sacctmgr(String arguments) {
        StringBuilder text = new StringBuilder();
        List<Job.User> users = live.values().stream()
                .map(told -> told.job().user())
                .distinct()
                .sorted(Comparator.comparing(Job.User::name))
                .toList();
        if (arguments.contains("\nassociation\n")) {
            text.append(site.cluster()).append("|root|||||normal|1|||||\n");
            users.stream().map(Job.User::account).distinct().forEach(account -> text.append(site.cluster())
                    .append('|')
                    .append(account)
                    .append("|||root||normal|1|||||\n"));
            users.forEach(user -> text.append(site.cluster())
                    .append('|')
                    .append(user.account())
                    .append('|')
                    .append(user.name())
                    .append("|||normal|normal|1|||||\n"));
        } else if (arguments.contains("\nuser\n")) {
            users.forEach(user ->
                    text.append(user.name()).append('|').append(user.account()).append("|None\n"));
        } else if (arguments.contains("\nqos\n")) {
            text.append("normal|100||||||\n");
        }
        return text.toString();
    }

    private static String[] distinct(String ids) {
        return java.util.Arrays.stream(ids.split(",", -1)).distinct().toArray(String[]::new);
    }

    private static String after(List<String> words, String option) {
        int place = words.indexOf(option);
        return place >= 0 && place + 1 < words.size() ? words.get(place + 1) : "";
    }

    private static Instant ago(String text, Instant now, Instant otherwise) {
        Matcher matcher = AGO.matcher(text);
        return matcher.matches() ? now.minusSeconds(Long.parseLong(matcher.group(1))) : otherwise;
    }

    private static String cell(Job job, String column) {
        return switch (column) {
            case "JobIDRaw", "JobID" -> Long.toString(job.id());
            case "User" -> job.user().name();
            case "UID" -> Integer.toString(job.user().uid());
            case "Account" -> job.user().account();
            case "Partition" -> job.gpus().isEmpty() ? "cpu" : "prioritized";
            case "QOS" -> "normal";
            case "State" -> job.requeued() ? "REQUEUED" : "COMPLETED";
            case "Submit" -> Long.toString(job.submit().getEpochSecond());
            case "Start" -> Long.toString(job.start().getEpochSecond());
            case "End" -> Long.toString(job.end().getEpochSecond());
            case "Suspended" -> "00:00:00";
            case "TimelimitRaw" -> Long.toString(job.limit().toMinutes());
            case "AllocTRES" -> tres(job);
            case "NodeList" -> job.node().name();
            case "JobName" -> job.name().replaceAll(ESCAPED, "?");
            default -> "";
        };
    }
}
