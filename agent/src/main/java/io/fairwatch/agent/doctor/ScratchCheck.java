package io.fairwatch.agent.doctor;

import io.fairwatch.agent.doctor.Node.Mount;
import io.fairwatch.agent.doctor.PrivilegeCheck.Capability;
import io.fairwatch.agent.probe.ScratchSource;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * One scratch mount: whether it is there, local, and where its use by directory and user comes from.
 *
 * @param sources finds that out, as the user who runs the doctor; may take for ever
 */
record ScratchCheck(Node node, Path mount, Function<Path, ScratchSource> sources) implements Check {
    @Override
    public String name() {
        return "scratch " + mount;
    }

    @Override
    public List<Finding> look() {
        Optional<Mount> mounted = node.mounts().stream()
                .filter(candidate -> mount.startsWith(candidate.point()))
                .reduce((one, other) -> other.point().length() >= one.point().length() ? other : one);
        if (mounted.isEmpty()) {
            return List.of(Finding.error(
                    name(), "nothing is mounted there", "mount it, or take it out of scratch.mounts in agent.yml"));
        }
        String type = mounted.get().type();
        if (!ScratchSource.isAccountedFor(type)) {
            return List.of(Finding.warning(
                    name(),
                    type + ", not a file system of this node: it is left out",
                    "take it out of scratch.mounts in agent.yml"));
        }
        if (!Files.isDirectory(node.path(mount.toString().substring(1)))) {
            return List.of(Finding.error(
                    name(), "no such directory", "mount it, or take it out of scratch.mounts in agent.yml"));
        }
        ScratchSource source = sources.apply(mount);
        String what =
                type + size() + "; use by directory: " + source.directories().orElse("not told") + ", by user: "
                        + source.users().orElse("not told")
                        + (source.why().isEmpty() ? "" : " (" + String.join("; ", source.why()) + ")");
        List<Finding> findings = new ArrayList<>();
        findings.add(
                source.why().isEmpty() || (source.directories().isPresent() && source.closed() == 0)
                        ? Finding.fine(name(), what)
                        : Finding.warning(
                                name(),
                                what,
                                "a walk needs CAP_DAC_READ_SEARCH, quotas need CAP_SYS_ADMIN: see scratch.conf.example and"
                                        + " quota.conf.example in deploy/systemd/fairwatch-agent.service.d"));
        if (!mounted.get().point().equals(mount.toString())) {
            findings.add(place(mounted.get().point()));
        }
        lacking(source).ifPresent(findings::add);
        return findings;
    }

    /** Counted it is all the same; but a disk that was forgotten looks like this, too. */
    private Finding place(String point) {
        String what = "a directory of the file system on " + point + ": how full it is, is told of all of that";
        return point.equals("/")
                ? Finding.warning(name(), what, "if a disk of its own belongs there, mount it")
                : Finding.fine(name(), what);
    }

    /** What the doctor may see here, as root, and the agent may not. */
    private Optional<Finding> lacking(ScratchSource source) {
        boolean quota = source.directories().equals(Optional.of("quota"))
                || source.users().equals(Optional.of("quota"));
        Capability needed = quota ? Capability.CAP_SYS_ADMIN : Capability.CAP_DAC_READ_SEARCH;
        if (!Capability.has(node, "proc/self", needed) || Capability.has(node, node.agent(), needed)) {
            return Optional.empty();
        }
        String dropIn = quota ? "quota.conf" : "scratch.conf";
        return Optional.of(Finding.warning(
                name(),
                quota
                        ? "the agent lacks CAP_SYS_ADMIN, so it is not told quotas and walks instead; what stands above is"
                                + " seen as whoever runs this doctor"
                        : "the agent lacks CAP_DAC_READ_SEARCH, so directories that are closed to it are left out; what"
                                + " stands above is seen as whoever runs this doctor",
                "install deploy/systemd/fairwatch-agent.service.d/" + dropIn
                        + ".example as /etc/systemd/system/fairwatch-agent.service.d/" + dropIn
                        + ", then systemctl daemon-reload and restart"));
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
