package io.fairwatch.agent.doctor;

import io.fairwatch.agent.doctor.Node.Mount;
import io.fairwatch.agent.probe.ScratchSource;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * One scratch mount: whether it is there, local, and where its use by directory and user comes from.
 *
 * @param sources finds that out, as the user who runs the doctor; may take for ever
 */
record ScratchCheck(Node node, Path mount, Function<Path, ScratchSource> sources) implements Check {
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
        if (REMOTE.contains(type) || (type.startsWith("fuse") && !type.startsWith("fuse.ceph"))) {
            return List.of(Finding.warning(
                    name(),
                    type + ", not a file system of this node: it is left out",
                    "take it out of scratch.mounts in agent.yml"));
        }
        ScratchSource source = sources.apply(mount);
        String what =
                type + size() + "; use by directory: " + source.directories().orElse("not told") + ", by user: "
                        + source.users().orElse("not told");
        if (source.why().isEmpty()) {
            return List.of(Finding.fine(name(), what));
        }
        String why = what + " (" + String.join("; ", source.why()) + ")";
        return List.of(
                source.directories().isPresent() && source.closed() == 0
                        ? Finding.fine(name(), why)
                        : Finding.warning(
                                name(),
                                why,
                                "a walk needs CAP_DAC_READ_SEARCH, quotas need CAP_SYS_ADMIN: see scratch.conf.example and"
                                        + " quota.conf.example in deploy/systemd/fairwatch-agent.service.d"));
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
