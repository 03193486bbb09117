package io.fairwatch.collector.usage;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.collector.usage.LiveUse.Period;
import io.fairwatch.collector.usage.LiveUse.Periods;
import io.fairwatch.collector.usage.LiveUse.Sight;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The packed periods of a GPU against a plain list of them. */
class LivePeriodsTest {
    private static final List<List<Sight>> SIGHTS = List.of(
            List.of(),
            List.of(new Sight(7, -1)),
            List.of(new Sight(7, -1), new Sight(8, 21001)),
            List.of(new Sight(8, -1)));

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    @DisplayName("whatever comes and is forgotten, the same periods are there as in a plain list")
    void sameAsList(long seed) {
        Random random = new Random(seed);
        Periods periods = new Periods();
        List<Period> plain = new ArrayList<>();
        List<Sight> sights = SIGHTS.get(0);
        long at = 1_800_000_000_000L + random.nextInt(1000);
        for (int step = 0; step < 5_000; step++) {
            if (random.nextInt(700) == 0) {
                periods.clear();
                plain.clear();
            }
            if (random.nextInt(6) == 0) { // nearly always the same jobs
                sights = SIGHTS.get(random.nextInt(SIGHTS.size()));
            }
            int length = 1_000 * (5 + random.nextInt(296));
            at += random.nextInt(40) == 0 ? length + 1L + random.nextInt(20_000_000) : length;
            boolean tells = random.nextInt(10) > 0;
            Period next = new Period(
                    at,
                    length,
                    tells ? random.nextFloat() : Float.NaN,
                    tells ? random.nextFloat() : Float.NaN,
                    List.copyOf(sights));
            long from = at - random.nextInt(random.nextInt(5) == 0 ? 10_000 : 3_000_000);
            plain.removeIf(old -> old.atMs() < from);
            plain.add(next);
            periods.add(next, from);
            assertEquals(plain, periods.list(), "seed " + seed + ", step " + step);
            assertEquals(at, periods.lastAtMs());
        }
    }
}
