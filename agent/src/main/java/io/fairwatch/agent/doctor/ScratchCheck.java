package io.fairwatch.agent.doctor;

import io.fairwatch.agent.doctor.Node.Mount;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** One scratch mount: whether it is there, local, and has quotas, which tell use per user for nothing. */
record ScratchCheck(Node node, Path mount) implements Check {
    private static final Set<String> REMOTE =
            Set.of("nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "afs", "9p", "autofs", "wekafs");

    @Override
    public String name() {
        return "scratch " + mount;
    }

    @Override
    public List<Finding> look() {
        Optional<Mount> mounted = node.mounts().stream()
                .filter(candidate -> candidate.point().equals(mount.toString()))
                .reduce((lower, upper) -> upper);
        if (mounted.isEmpty()) {
            return List.of(Finding.error(
                    name(), "nothing is mounted there", "mount it, or take it out of scratch.mounts in agent.yml"));
        }
        String type = mounted.get().type();
        if (REMOTE.contains(type) || type.startsWith("fuse")) {
            return List.of(Finding.warning(
                    name(),
                    type + ", not a file system of this node: it is left out",
                    "take it out of scratch.mounts in agent.yml"));
        }
        boolean quota = List.of("usrquota", "quota", "uquota", "prjquota", "pquota").stream()
                .anyMatch(mounted.get()::has);
        String size = size();
        return List.of(
                quota
                        ? Finding.fine(name(), type + size + ", quotas are on")
                        : Finding.fine(
                                name(),
                                type + size + ", no quotas: use is counted by a walk. With quotas (xfs: uquota,pquota;"
                                        + " ext4: tune2fs -Q usrquota,prjquota) it would be known at once"));
    }

    /** Hangs with a dead disk; the deadline is for that. */
    private String size() {
        try {
            FileStore store = Files.getFileStore(node.path(mount.toString().substring(1)));
            return ", " + SpoolCheck.bytes(store.getTotalSpace()) + ", " + SpoolCheck.bytes(store.getUsableSpace())
                    + " free";
        } catch (IOException e) {
            return ", its size is not told (" + e.getMessage() + ")";
        }
    }
}
