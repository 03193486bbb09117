package io.fairwatch.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import io.fairwatch.agent.wire.ScratchUse.UserSpace;
import io.fairwatch.agent.wire.ScratchUse.Users;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class ScratchNewsTest {
    private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");

    private final ScratchNews news = new ScratchNews();

    @Test
    @DisplayName("lists are sent once; the totals always")
    void once() {
        ScratchUse use = use(NOON, 5, 100);
        assertEquals(List.of(use), news.of(List.of(use)));
        ScratchUse fuller = use(NOON.plusSeconds(600), 5, 101);
        assertEquals(List.of(without(fuller)), news.of(List.of(fuller)), "counted again, with the same figures");
    }

    @Test
    @DisplayName("figures that changed are sent; so is a list that comes or goes")
    void changed() {
        news.of(List.of(use(NOON, 5, 100)));
        ScratchUse more = use(NOON.plusSeconds(600), 6, 100);
        assertEquals(List.of(more), news.of(List.of(more)));
        ScratchUse none = without(more);
        assertEquals(List.of(none), news.of(List.of(none)));
        assertEquals(List.of(more), news.of(List.of(more)));
    }

    @Test
    @DisplayName("every twentieth snapshot has the lists, with their newest age")
    void repeated() {
        news.of(List.of(use(NOON, 5, 100)));
        for (int i = 1; i < 20; i++) {
            ScratchUse use = use(NOON.plusSeconds(i), 5, 100);
            assertEquals(List.of(without(use)), news.of(List.of(use)));
        }
        ScratchUse use = use(NOON.plusSeconds(20), 5, 100);
        assertEquals(List.of(use), news.of(List.of(use)));
    }

    @Test
    @DisplayName("a mount that was missing in the snapshot before is told whole")
    void back() {
        ScratchUse use = use(NOON, 5, 100);
        news.of(List.of(use));
        news.of(List.of());
        assertEquals(List.of(use), news.of(List.of(use)));
    }

    private static ScratchUse use(Instant at, long annas, long used) {
        UserSpace anna =
                new UserSpace(1000, Optional.of("anna"), Owner.KNOWN, annas, OptionalLong.of(1), Optional.empty());
        return new ScratchUse(
                "/raid",
                1000,
                used,
                900,
                OptionalLong.empty(),
                OptionalLong.empty(),
                Optional.of(new Directories("walk", at, List.of(), 0)),
                Optional.of(new Users("quota", at, List.of(anna))));
    }

    private static ScratchUse without(ScratchUse use) {
        return new ScratchUse(
                use.mount(),
                use.totalBytes(),
                use.usedBytes(),
                use.availableBytes(),
                use.inodesTotal(),
                use.inodesUsed(),
                Optional.empty(),
                Optional.empty());
    }
}
