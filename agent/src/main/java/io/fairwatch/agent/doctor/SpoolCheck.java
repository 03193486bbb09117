package io.fairwatch.agent.doctor;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The spool's directory: whether the agent may write there, and whether there is room for what it may hold. */
record SpoolCheck(Node node, Path directory, long maxBytes) implements Check {
    @Override
    public String name() {
        return "spool";
    }

    @Override
    public List<Finding> look() throws IOException {
        if (!Files.isDirectory(directory)) {
            return List.of(Finding.error(
                    name(),
                    directory + " is not there",
                    "the unit makes it (StateDirectory=); by hand: install -d -o fairwatch-agent -m 0700 "
                            + directory));
        }
        List<Finding> findings = new ArrayList<>();
        owner(findings);
        long waiting = 0;
        long bytes = 0;
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*.json.gz")) {
            for (Path file : files) {
                waiting++;
                bytes += Files.size(file);
            }
        } catch (java.nio.file.AccessDeniedException e) {
            findings.add(Finding.error(
                    name(), directory + " may not be read", "run the doctor as root or as the agent's user"));
            return findings;
        }
        FileStore store = Files.getFileStore(directory);
        if (store.isReadOnly()) {
            findings.add(Finding.error(
                    name(),
                    directory + ": its file system is read-only; new snapshots wait in memory only",
                    "dmesg tells whether the disk failed"));
        }
        long free = store.getUsableSpace();
        long missing = maxBytes - bytes - free;
        if (free < 1 << 20) {
            findings.add(Finding.error(
                    name(),
                    directory + ": its disk is full (" + bytes(free) + " free); new snapshots wait in memory only",
                    "make room on the disk"));
        } else if (missing > 0) {
            findings.add(Finding.warning(
                    name(),
                    directory + ": " + bytes(free) + " free, but it may grow by " + bytes(maxBytes - bytes),
                    "lower spool.maxBytes in agent.yml, or make room, so that an outage does not fill the disk"));
        } else {
            findings.add(Finding.fine(
                    name(),
                    directory + ": " + waiting + " snapshots wait (" + bytes(bytes) + " of " + bytes(maxBytes) + "), "
                            + bytes(free) + " free"));
        }
        try (DirectoryStream<Path> refused = Files.newDirectoryStream(directory.resolve("rejected"))) {
            if (refused.iterator().hasNext()) {
                findings.add(Finding.warning(
                        name(),
                        "the collector refused snapshots for good; they are in " + directory.resolve("rejected"),
                        "its log says why; agent and collector may be too far apart in version"));
            }
        } catch (IOException expected) { // none was ever refused
            return findings;
        }
        return findings;
    }

    /** Whether it belongs to the user that the agent runs as. */
    private void owner(List<Finding> findings) throws IOException {
        if (!FileSystems.getDefault().supportedFileAttributeViews().contains("unix")) {
            return;
        }
        Map<String, Object> attributes = Files.readAttributes(directory, "unix:uid,mode");
        String uid =
                node.fields(node.agent() + "/status").getOrDefault("Uid", "").split("\\s+", -1)[0];
        if (!uid.isEmpty() && !uid.equals("0") && !uid.equals(String.valueOf(attributes.get("uid")))) {
            findings.add(Finding.error(
                    name(),
                    directory + " belongs to uid " + attributes.get("uid") + ", the agent is uid " + uid,
                    "chown -R " + uid + " " + directory));
        }
    }

    static String bytes(long bytes) {
        String[] units = {"B", "KiB", "MiB", "GiB", "TiB"};
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < units.length - 1) {
            value /= 1024;
            unit++;
        }
        return String.format(Locale.ROOT, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    }
}
