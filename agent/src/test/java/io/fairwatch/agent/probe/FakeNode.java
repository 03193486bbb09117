package io.fairwatch.agent.probe;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashMap;
import java.util.Map;

/** A node made of files with the kernel's names in a temporary directory. */
final class FakeNode {
    private final Path proc;
    private final Path cgroup;
    private final Map<String, Integer> uids = new HashMap<>();

    FakeNode(Path directory) throws IOException {
        proc = Files.createDirectories(directory.resolve("proc"));
        cgroup = Files.createDirectories(directory.resolve("cgroup"));
        Files.createDirectory(proc.resolve("self"));
        uptime(100);
    }

    ProcTree tree() {
        return tree(false);
    }

    ProcTree tree(boolean environ) {
        return new ProcTree(
                proc,
                cgroup,
                directory -> {
                    if (!Files.exists(directory)) {
                        throw new NoSuchFileException(directory.toString());
                    }
                    return uids.getOrDefault(directory.getFileName().toString(), 0);
                },
                environ);
    }

    Path proc() {
        return proc;
    }

    Path cgroup() {
        return cgroup;
    }

    void uptime(double seconds) throws IOException {
        Files.writeString(proc.resolve("uptime"), String.format("%.2f 98765.43%n", seconds));
    }

    /** Adds a process that started at the given tick; or changes the one that is there. */
    FakeProcess process(int pid, String comm) throws IOException {
        return new FakeProcess(pid, comm).write();
    }

    /** Ends a process and adds another with its pid, whose directory has another inode, as in {@code /proc}. */
    FakeProcess takesOver(int pid, String comm) throws IOException {
        Path gone = proc.resolve("gone" + pid);
        Files.move(proc.resolve(Integer.toString(pid)), gone);
        return new FakeProcess(pid, comm).write();
    }

    void end(int pid) throws IOException {
        Files.walkFileTree(proc.resolve(Integer.toString(pid)), new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(
                    Path directory, @org.jspecify.annotations.Nullable IOException failure) throws IOException {
                Files.delete(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** Writes a file below the cgroup root, with the directories above it. */
    void cgroupFile(String path, String text) throws IOException {
        Path file = cgroup.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    final class FakeProcess {
        private final int pid;
        private final String comm;
        private int parent = 1;
        private char state = 'S';
        private long flags = 4194304;
        private long cpuTicks;
        private long startTicks = 5000;
        private long pages = 10;
        private int threads = 1;

        private FakeProcess(int pid, String comm) {
            this.pid = pid;
            this.comm = comm;
        }

        FakeProcess parent(int to) throws IOException {
            parent = to;
            return write();
        }

        FakeProcess zombie() throws IOException {
            state = 'Z';
            return write();
        }

        FakeProcess kernelThread() throws IOException {
            flags = 2129984;
            return write();
        }

        FakeProcess cpuTicks(long ticks) throws IOException {
            cpuTicks = ticks;
            return write();
        }

        FakeProcess startTicks(long ticks) throws IOException {
            startTicks = ticks;
            return write();
        }

        FakeProcess threads(int count) throws IOException {
            threads = count;
            return write();
        }

        FakeProcess pages(long count) throws IOException {
            pages = count;
            return write();
        }

        FakeProcess uid(int uid) {
            uids.put(Integer.toString(pid), uid);
            return this;
        }

        FakeProcess cgroup(String text) throws IOException {
            return file("cgroup", text);
        }

        FakeProcess title(String cmdline) throws IOException {
            file("status", "Name:\t" + comm + "\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n");
            return file("cmdline", cmdline);
        }

        FakeProcess file(String name, String text) throws IOException {
            Files.writeString(directory().resolve(name), text);
            return this;
        }

        private Path directory() {
            return proc.resolve(Integer.toString(pid));
        }

        private FakeProcess write() throws IOException {
            Files.createDirectories(directory());
            String text = pid + " (" + comm + ") " + state + " " + parent + " 1 1 0 -1 " + flags + " 1 0 0 0 "
                    + cpuTicks + " 0 0 0 20 0 " + threads + " 0 " + startTicks + " 5828608 " + pages
                    + " 18446744073709551615 1 1\n";
            Files.writeString(directory().resolve("stat"), text);
            return this;
        }
    }
}
