package io.fairwatch.collector.usage;

import java.util.Arrays;

/**
 * How busy a GPU was over a run's life, for a drawing of it: a few steps of one length, which doubles when there are too
 * many. A reading belongs to the step in which its period ends. Small, because there is one for each GPU: shares are kept
 * to 1/250. Confined to whoever holds the lock of {@link LiveRuns}.
 */
final class Course {
    private static final long SHORTEST_MS = 30_000;
    private static final int MOST = 96;
    private static final double FINE = 250;

    private final long fromMs;
    private final double busyAboveRatio;
    private long stepMs = SHORTEST_MS;
    private int steps;
    /** Share of a step that is covered; 0: nothing is known of it. */
    private byte[] covered = new byte[8];

    private byte[] mean = new byte[8];
    /** 0: not busy; a largest sample above that is never called so. */
    private byte[] max = new byte[8];

    /** @param fromMs begin of the first step */
    Course(long fromMs, double busyAboveRatio) {
        this.fromMs = fromMs;
        this.busyAboveRatio = busyAboveRatio;
    }

    /** Takes a reading that told how busy the GPU was. */
    void add(long atMs, long periodMs, double meanRatio, double maxRatio) {
        while ((atMs - 1 - fromMs) / stepMs >= MOST) {
            halve();
        }
        int step = (int) ((atMs - 1 - fromMs) / stepMs);
        if (step >= covered.length) {
            int length = Math.min(MOST, Math.max(step + 1, 2 * covered.length));
            covered = Arrays.copyOf(covered, length);
            mean = Arrays.copyOf(mean, length);
            max = Arrays.copyOf(max, length);
        }
        steps = Math.max(steps, step + 1);
        double share = Math.min(1, (double) periodMs / stepMs);
        double before = share(covered[step]);
        double now = before + share;
        mean[step] = fine((share(mean[step]) * before + meanRatio * share) / now);
        covered[step] = (byte) Math.max(1, fine(Math.min(1, now)) & 0xff);
        if (maxRatio > busyAboveRatio) {
            max[step] = (byte) Math.max(max[step] & 0xff, Math.max(1, (int) Math.ceil(maxRatio * FINE)));
        }
    }

    private void halve() {
        for (int i = 0; i < steps; i += 2) {
            double one = share(covered[i]);
            double other = i + 1 < steps ? share(covered[i + 1]) : 0;
            double both = one + other;
            int to = i / 2;
            double ratio =
                    both == 0 ? 0 : (share(mean[i]) * one + (other == 0 ? 0 : share(mean[i + 1]) * other)) / both;
            int most = Math.max(max[i] & 0xff, other == 0 ? 0 : max[i + 1] & 0xff);
            covered[to] = both == 0 ? 0 : (byte) Math.max(1, fine(both / 2) & 0xff);
            mean[to] = fine(ratio);
            max[to] = (byte) most;
        }
        int left = (steps + 1) / 2;
        Arrays.fill(covered, left, steps, (byte) 0);
        Arrays.fill(mean, left, steps, (byte) 0);
        Arrays.fill(max, left, steps, (byte) 0);
        steps = left;
        stepMs *= 2;
    }

    private static byte fine(double ratio) {
        return (byte) Math.round(ratio * FINE);
    }

    private static double share(byte fine) {
        return (fine & 0xff) / FINE;
    }

    long stepMs() {
        return stepMs;
    }

    /** How busy it was in some steps. */
    record Slot(boolean known, double meanRatio, double maxRatio) {}

    /** Some steps in one, from one that is counted from 0. */
    Slot slot(int first, int many) {
        double weight = 0;
        double sum = 0;
        int most = 0;
        for (int i = first; i < Math.min(steps, first + many); i++) {
            weight += share(covered[i]);
            sum += share(covered[i]) * share(mean[i]);
            most = Math.max(most, max[i] & 0xff);
        }
        return new Slot(weight > 0, weight > 0 ? sum / weight : 0, most / FINE);
    }
}
