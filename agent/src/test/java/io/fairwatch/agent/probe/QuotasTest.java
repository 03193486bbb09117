package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.probe.Quotas.Account;
import io.fairwatch.agent.probe.Quotas.Answer;
import io.fairwatch.agent.probe.Quotas.Kernel;
import io.fairwatch.agent.probe.Quotas.Kind;
import io.fairwatch.agent.wire.ScratchUse.Limit;
import io.fairwatch.agent.wire.ScratchUse.UserSpace;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class QuotasTest {
    private static final Instant GRACE = Instant.parse("2026-11-27T12:00:00Z");

    /** The numbers of a {@code struct if_nextdqblk}, in its order. */
    private record Quota(
            long hardBlocks,
            long softBlocks,
            long bytes,
            long hardFiles,
            long softFiles,
            long files,
            long bytesTimer,
            long filesTimer) {
        static Quota use(long bytes, long files) {
            return new Quota(0, 0, bytes, 0, 0, files, 0, 0);
        }
    }

    private final NavigableMap<Long, Quota> quotas = new TreeMap<>();
    private final List<Long> asked = new ArrayList<>();
    private final Kernel kernel = this::next;
    private int atEnd = -Libc.ENOENT;

    @Test
    @DisplayName("each account has its space, its files and its limits; blocks are of 1 KiB")
    void accounts() {
        quotas.put(0L, Quota.use(4096, 2));
        quotas.put(
                1000L,
                new Quota(2048, 1024, 1_500_000, 200, 100, 150, GRACE.getEpochSecond() + 60, GRACE.getEpochSecond()));
        Limit limit = new Limit(
                OptionalLong.of(1 << 20),
                OptionalLong.of(2 << 20),
                OptionalLong.of(100),
                OptionalLong.of(200),
                Optional.of(GRACE));
        assertEquals(
                List.of(
                        new Account(0, 4096, 2, Optional.empty()),
                        new Account(1000, 1_500_000, 150, Optional.of(limit))),
                list());
        assertEquals(List.of(0L, 1L, 1001L), asked);
    }

    @Test
    @DisplayName("a limit of one kind alone is one; the other kinds have none; a timer that does not run ends never")
    void oneLimit() {
        quotas.put(1000L, new Quota(1 << 20, 0, 1, 0, 0, 1, 0, 0));
        assertEquals(
                Optional.of(new Limit(
                        OptionalLong.empty(),
                        OptionalLong.of(1 << 30),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        Optional.empty())),
                list().get(0).limit());
    }

    @Test
    @DisplayName("an account with nothing in it is not told, even if it has a limit")
    void empty() {
        quotas.put(1000L, new Quota(100, 100, 0, 0, 0, 0, 0, 0));
        assertEquals(List.of(), list());
    }

    @Test
    @DisplayName("numbers that no file system can mean are no limits, and no accident")
    void absurd() {
        quotas.put(7L, new Quota(Long.MAX_VALUE, -1, 5, -1, Long.MIN_VALUE, 1, Long.MAX_VALUE, -5));
        assertEquals(List.of(new Account(7, 5, 1, Optional.empty())), list());
    }

    @Test
    @DisplayName("a list that ends with ESRCH ends as well; as the first answer that means that quotas are off")
    void ends() {
        atEnd = -Libc.ESRCH;
        quotas.put(5L, Quota.use(1, 1));
        assertEquals(1, list().size());
        quotas.clear();
        assertEquals(new Answer.Refused("user quotas are off"), Quotas.list(kernel, Kind.USER));
    }

    @ParameterizedTest
    @CsvSource({
        "1, project quotas may not be read without CAP_SYS_ADMIN",
        "38, no quotas on this file system",
        "95, no quotas on this file system",
        "15, no quotas on this file system",
        "22, this kernel cannot list project quotas",
        "5, 'project quotas cannot be read, error 5'",
    })
    @DisplayName("what the kernel refuses is told in words")
    void refused(int error, String why) {
        assertEquals(new Answer.Refused(why), Quotas.list((type, id, into) -> -error, Kind.PROJECT));
    }

    @Test
    @DisplayName("an error half way is no list: what is missing would look like nothing used")
    void halfWay() {
        quotas.put(5L, Quota.use(1, 1));
        atEnd = -5;
        assertInstanceOf(Answer.Refused.class, Quotas.list(kernel, Kind.USER));
    }

    @Test
    @DisplayName("a kernel that tells the same id again and again is asked no more")
    void doesNotGrow() {
        int[] calls = {0};
        Answer answer = Quotas.list(
                (type, id, into) -> {
                    calls[0]++;
                    return fill(into, 3, Quota.use(1, 1));
                },
                Kind.USER);
        assertEquals(new Answer.Refused("the kernel's list of user quotas does not go on"), answer);
        assertEquals(2, calls[0]);
    }

    @Test
    @DisplayName("the last id that there can be is the end; ids beyond the wire's are no users")
    void largest() {
        quotas.put(0xffff_fffeL, Quota.use(1, 1));
        quotas.put(70_000L, Quota.use(9, 1));
        assertEquals(2, list().size());
        List<UserSpace> users = ScratchLook.users(list(), GRACE).list();
        assertEquals(List.of(70_000), users.stream().map(UserSpace::uid).toList());
    }

    @Test
    @DisplayName("a list without end ends at a bound")
    void bounded() {
        Answer answer = Quotas.list((type, id, into) -> fill(into, id, Quota.use(1, 1)), Kind.USER);
        assertEquals(new Answer.Refused("too many user quotas to list"), answer);
    }

    private List<Account> list() {
        return assertInstanceOf(Answer.Accounts.class, Quotas.list(kernel, Kind.USER))
                .list();
    }

    private int next(int type, int id, ByteBuffer into) {
        asked.add(Integer.toUnsignedLong(id));
        var found = quotas.ceilingEntry(Integer.toUnsignedLong(id));
        return found == null ? atEnd : fill(into, found.getKey(), found.getValue());
    }

    private static int fill(ByteBuffer into, long id, Quota quota) {
        assertTrue(into.capacity() >= Quotas.BYTES && into.isDirect());
        into.putLong(0, quota.hardBlocks);
        into.putLong(8, quota.softBlocks);
        into.putLong(16, quota.bytes);
        into.putLong(24, quota.hardFiles);
        into.putLong(32, quota.softFiles);
        into.putLong(40, quota.files);
        into.putLong(48, quota.bytesTimer);
        into.putLong(56, quota.filesTimer);
        into.putInt(64, 63);
        into.putInt(68, (int) id);
        return 0;
    }
}
