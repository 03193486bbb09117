package io.fairwatch.agent.doctor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** A node's files in a directory of the test. */
final class FakeTree {
    private final Path root;

    FakeTree(Path root) {
        this.root = root;
    }

    Node node() {
        return new Node(root);
    }

    FakeTree file(String name, String text) {
        try {
            Path file = root.resolve(name);
            Files.createDirectories(file.getParent());
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
        return this;
    }

    FakeTree directory(String name) {
        return file(name + "/cgroup.procs", "");
    }

    FakeTree host(String name) {
        return file("proc/sys/kernel/hostname", name + "\n");
    }

    /** @param arguments separated by blanks */
    FakeTree process(int pid, String comm, String arguments, int uid, String capabilities) {
        String base = "proc/" + pid + "/";
        return file(base + "comm", comm + "\n")
                .file(base + "cmdline", arguments.isEmpty() ? "" : arguments.replace(' ', '\0') + "\0")
                .file(base + "status", status(comm, uid, capabilities))
                .file(base + "limits", limits(16384))
                .file(base + "cgroup", "0::/system.slice/fairwatch-agent.service\n");
    }

    static String status(String comm, int uid, String capabilities) {
        return "Name:\t%s\nUid:\t%d\t%d\t%d\t%d\nCapInh:\t0000000000000000\nCapEff:\t%s\n"
                .formatted(comm, uid, uid, uid, uid, capabilities);
    }

    static String limits(int files) {
        return """
                Limit                     Soft Limit           Hard Limit           Units
                Max cpu time              unlimited            unlimited            seconds
                Max open files            %-20d %-20d files
                """.formatted(files, files);
    }

    /** An agent that runs as its own user. */
    FakeTree agent(String capabilities) {
        return process(
                        900,
                        "java",
                        "/usr/bin/java -Xmx24m -jar /usr/share/fairwatch-agent/fairwatch-agent.jar --config x",
                        990,
                        capabilities)
                .file("sys/fs/cgroup/system.slice/fairwatch-agent.service/memory.max", "201326592\n");
    }

    FakeTree gpu(String busId, int minor) {
        return file("proc/driver/nvidia/version", """
                        NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.161.08  Sat Feb 24 22:52:39 UTC 2024
                        GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
                        """)
                .file("proc/driver/nvidia/gpus/" + busId + "/information", """
                        Model: \t\t Tesla V100-SXM3-32GB
                        IRQ:   \t\t 187
                        GPU UUID: \t GPU-%08d-0000-0000-0000-000000000000
                        Bus Location: \t %s
                        Device Minor: \t %d
                        """.formatted(minor, busId, minor))
                .file("sys/bus/pci/devices/" + busId + "/vendor", "0x10de\n")
                .file("sys/bus/pci/devices/" + busId + "/class", "0x030200\n");
    }

    FakeTree cgroupsV2(String... jobs) {
        file("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
        String scope = "sys/fs/cgroup/system.slice/slurmstepd.scope";
        file(scope + "/cgroup.controllers", "cpu memory\n");
        for (String job : jobs) {
            directory(scope + "/" + job + "/step_0");
        }
        return this;
    }

    FakeTree mounts(Map<String, String> typeByPoint) {
        StringBuilder lines = new StringBuilder("21 28 0:19 / /proc rw,nosuid - proc proc rw\n");
        typeByPoint.forEach((point, type) -> lines.append("36 35 98:0 / ")
                .append(point)
                .append(" rw,noatime shared:1 - ")
                .append(type)
                .append('\n'));
        return file("proc/self/mountinfo", lines.toString());
    }
}
