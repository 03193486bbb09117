package io.fairwatch.agent.probe;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Set;

/**
 * What is mounted at a path, as {@code /proc/self/mountinfo} tells it, so that nothing touches a file system to find out.
 * Immutable.
 *
 * @param type e.g. {@code ext4}; empty when nothing is known
 * @param device what it was made from, e.g. {@code /dev/md0}
 * @param whole whether the path is the top of that file system, and not a directory in it
 */
record Mounted(String type, String device, boolean whole) {
    private static final Path MOUNTS = Path.of("/proc/self/mountinfo");
    private static final Set<String> REMOTE = Set.of(
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "lustre",
            "gpfs",
            "beegfs",
            "afs",
            "9p",
            "autofs",
            "pvfs2",
            "orangefs",
            "gfs2",
            "wekafs",
            "coda",
            "ncpfs");

    /** What holds a path now. */
    static Mounted at(Path path) {
        return parse(
                KernelFiles.readText(MOUNTS).orElse(""),
                path.toAbsolutePath().normalize().toString());
    }

    /** CephFS, by the kernel or by its own program. */
    boolean isCeph() {
        return type.equals("ceph") || type.startsWith("fuse.ceph");
    }

    /** A file system of other machines, which may hang whoever asks it. */
    boolean isRemote() {
        return REMOTE.contains(type) || type.startsWith("fuse.") || isCeph();
    }

    /**
     * The deepest mount above a path. A line of mountinfo:
     *
     * <pre>{@code 36 35 98:0 /mnt1 /raid rw,noatime master:1 - ext4 /dev/root rw,errors=continue}</pre>
     */
    static Mounted parse(String mountinfo, String path) {
        Mounted deepest = new Mounted("", "", false);
        int longest = 0;
        String wanted = new String(path.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
        for (String line : mountinfo.split("\n", -1)) {
            String[] parts = line.split(" - ", 2);
            String[] fields = parts[0].split(" ", -1);
            String[] kind = parts.length < 2 ? new String[0] : parts[1].split(" ", -1);
            if (kind.length < 2 || fields.length < 5) {
                continue;
            }
            String point = fields[4].equals("/") ? "" : plain(fields[4]);
            boolean holds = wanted.equals(point) || wanted.startsWith(point + "/");
            if (holds && point.length() >= longest) {
                longest = point.length(); // of several mounts on one point, the last hides the others
                deepest = new Mounted(
                        kind[0], plain(kind[1]), (wanted.equals(point) || wanted.equals("/")) && fields[3].equals("/"));
            }
        }
        return deepest;
    }

    /** Without the octal numbers that stand for space, tab, line end and backslash. */
    private static String plain(String field) {
        return field.replace("\\040", " ")
                .replace("\\011", "\t")
                .replace("\\012", "\n")
                .replace("\\134", "\\");
    }
}
