package io.fairwatch.agent.doctor;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * The kernel's files of a node. Immutable; every method reads anew.
 *
 * @param root {@code /}, or a copy of it
 */
record Node(Path root) {
    /** A process. {@code arguments} is empty for the kernel's own. */
    record Running(String pid, String name, List<String> arguments) {}

    Path path(String name) {
        return root.resolve(name);
    }

    /** The text of a file; empty when it cannot be read. */
    Optional<String> text(String name) {
        try {
            return Optional.of(Files.readString(path(name), StandardCharsets.ISO_8859_1));
        } catch (IOException expected) { // is gone, or is not for us
            return Optional.empty();
        }
    }

    /** Names in a directory, in order; none when it cannot be read. */
    List<String> list(String name) {
        List<String> names = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(path(name))) {
            entries.forEach(entry -> names.add(entry.getFileName().toString()));
        } catch (IOException | java.nio.file.DirectoryIteratorException expected) { // as above
            return List.of();
        }
        Collections.sort(names);
        return names;
    }

    /** Lines of {@code key: value} as in {@code /proc/PID/status}. */
    Map<String, String> fields(String name) {
        Map<String, String> fields = new TreeMap<>();
        text(name).orElse("").lines().forEach(line -> {
            String[] parts = line.split(":", 2);
            if (parts.length == 2) {
                fields.put(parts[0].strip(), parts[1].strip());
            }
        });
        return fields;
    }

    /** A whole number in a file; empty too for {@code max}. */
    OptionalLong number(String name) {
        String text = text(name).orElse("").strip();
        return text.matches("\\d{1,18}") ? OptionalLong.of(Long.parseLong(text)) : OptionalLong.empty();
    }

    /** Every process that can be seen. */
    List<Running> processes() {
        List<Running> processes = new ArrayList<>();
        for (String pid : list("proc")) {
            if (pid.matches("\\d+")) {
                text("proc/" + pid + "/comm").ifPresent(comm -> {
                    String line = text("proc/" + pid + "/cmdline").orElse("");
                    processes.add(
                            new Running(pid, comm.strip(), line.isEmpty() ? List.of() : List.of(line.split("\0", -1))));
                });
            }
        }
        return processes;
    }

    /** The directory below {@code proc} of the agent's process, or of the doctor's where no agent runs. */
    String agent() {
        return runningAgent().map(pid -> "proc/" + pid).orElse("proc/self");
    }

    /** The pid of a running agent. */
    Optional<String> runningAgent() {
        return processes().stream()
                .filter(process -> process.arguments().stream()
                                .anyMatch(argument -> argument.endsWith("fairwatch-agent.jar")
                                        || argument.equals("io.fairwatch.agent.Main"))
                        && !process.arguments().contains("doctor"))
                .map(Running::pid)
                .findFirst();
    }

    /** Lines of {@code /proc/self/mountinfo}. */
    List<Mount> mounts() {
        return text("proc/self/mountinfo")
                .orElse("")
                .lines()
                .flatMap(line -> Mount.parse(line).stream())
                .toList();
    }

    /** A mounted file system. */
    record Mount(String point, String type, String options) {
        /** {@code 36 35 98:0 / /raid rw,noatime shared:1 - xfs /dev/md0 rw,usrquota}. */
        static Optional<Mount> parse(String line) {
            String[] words = line.split(" ", -1);
            int separator = List.of(words).indexOf("-");
            return words.length > 5 && separator > 5 && separator + 3 < words.length
                    ? Optional.of(new Mount(
                            words[4].replace("\\040", " "),
                            words[separator + 1],
                            words[5] + "," + words[separator + 3]))
                    : Optional.empty();
        }

        boolean has(String option) {
            return List.of(options.split(",", -1)).contains(option);
        }
    }
}
