package io.fairwatch.agent.probe;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.fairwatch.agent.probe.DirectoryCount.Counted;
import io.fairwatch.agent.probe.DirectoryCount.Round;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import java.util.OptionalLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the count of one mount over a restart of the agent: the newest whole one, and one that is under way. A file that
 * is torn, too large, of another version or about another file system is as good as none. Confined to one thread.
 */
final class CountFile {
    private static final Logger log = LoggerFactory.getLogger(CountFile.class);
    private static final int VERSION = 1;
    /** More than the largest count takes; much more would not fit into the agent's memory. */
    static final int LARGEST = 4 << 20;

    private final JsonMapper mapper = JsonMapper.builder()
            .addModule(new Jdk8Module())
            .addModule(new JavaTimeModule())
            .disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET) // it is forced to the disk first
            .build();
    private final Path file;
    private final String mount;
    private boolean failing;

    /**
     * A whole count, and how full the file system was then.
     *
     * @param usedBytes taken when it ended
     * @param inodesUsed likewise; absent where the file system has no fixed number
     */
    record Last(Counted counted, long usedBytes, OptionalLong inodesUsed) {}

    /**
     * What is kept.
     *
     * @param totalBytes size of the file system, by which another one on the same mount is told from it
     */
    record Kept(long totalBytes, Optional<Last> last, Optional<Round> running) {}

    private record Content(int version, String mount, Kept kept) {}

    CountFile(Path directory, Path mount) {
        this.mount = mount.toString();
        this.file = directory.resolve("count-" + Integer.toHexString(this.mount.hashCode()) + ".json");
    }

    /** What was kept of this file system. */
    Optional<Kept> read(long totalBytes) {
        try (InputStream in = Files.newInputStream(file)) {
            if (Files.size(file) > LARGEST) {
                log.warn("scratch count that was kept is too large, counts anew file={} most={}", file, LARGEST);
                return Optional.empty();
            }
            Content content = mapper.readValue(in, Content.class); // never whole in memory beside what is made of it
            if (content.version == VERSION && content.mount.equals(mount) && content.kept.totalBytes == totalBytes) {
                return Optional.of(content.kept);
            }
        } catch (NoSuchFileException first) {
            // nothing was counted yet
        } catch (JsonProcessingException e) {
            log.warn(
                    "scratch count that was kept is unreadable, counts anew file={} why={}",
                    file,
                    e.getOriginalMessage());
        } catch (RuntimeException e) {
            log.warn("scratch count that was kept is unreadable, counts anew file={} why={}", file, e.toString());
        } catch (IOException e) {
            log.warn("scratch count that was kept cannot be read file={} why={}", file, e.toString());
        }
        return Optional.empty();
    }

    /** Replaces what was kept; when that does not work, a restart counts anew. */
    void write(Kept kept) {
        Path fresh = file.resolveSibling(file.getFileName() + ".new");
        try {
            Files.createDirectories(file.getParent());
            try (FileOutputStream out = new FileOutputStream(fresh.toFile())) { // a channel would die of an interrupt
                mapper.writeValue(out, new Content(VERSION, mount, kept));
                out.getFD().sync();
            }
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            failing = false;
        } catch (IOException e) {
            if (!failing) {
                log.warn("scratch count cannot be kept, a restart will count anew file={} why={}", file, e.toString());
            }
            failing = true;
        }
    }
}
