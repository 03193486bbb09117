package io.fairwatch.fleet;

import java.time.Duration;
import java.time.Instant;
import java.util.List;

/**
 * A run of a job on one node, and what it does there. Immutable.
 *
 * @param id raw job id; a requeued job keeps it
 * @param submit when it was submitted
 * @param start when this run began
 * @param end when this run ends
 * @param limit its time limit
 * @param user who owns it
 * @param node where it runs
 * @param gpus which of the node's GPUs it holds; empty: a job without GPUs
 * @param cpus how many CPUs it holds
 * @param memoryBytes memory that it holds
 * @param habit what it does with its GPUs
 * @param requeued whether this run ends by being requeued
 * @param name its name
 */
record Job(
        long id,
        Instant submit,
        Instant start,
        Instant end,
        Duration limit,
        User user,
        Site.Node node,
        List<Integer> gpus,
        int cpus,
        long memoryBytes,
        Habit habit,
        boolean requeued,
        String name) {

    /**
     * A person.
     *
     * @param uid numeric user id
     * @param name login name
     * @param account charging group
     */
    record User(int uid, String name, String account) {}

    /** What a job does with its GPUs. */
    enum Habit {
        /** Computes all the time. */
        STEADY,
        /** Computes for minutes, then loads data for minutes. */
        BURSTY,
        /** Computes a little all the time. */
        LOW,
        /** Holds GPUs with a program that waits. */
        WAITING,
        /** Holds GPUs and has nothing on them. */
        EMPTY,
        /** Computes at first, then waits until its end. */
        ENDS_EARLY,
        /** Uses the first of its GPUs only. */
        ONE_OF_MANY
    }

    Job {
        gpus = List.copyOf(gpus);
    }

    boolean runsAt(Instant at) {
        return !at.isBefore(start) && at.isBefore(end);
    }

    /** Whether it has a process on a GPU, counted from 0 among its own. */
    boolean isOn(int place) {
        return habit != Habit.EMPTY && (habit != Habit.ONE_OF_MANY || place == 0);
    }

    /** How busy a GPU of it is, 0..1, counted from 0 among its own. */
    double busyRatio(int place, Instant at) {
        if (!isOn(place)) {
            return 0;
        }
        long seconds = Duration.between(start, at).toSeconds();
        return switch (habit) {
            case STEADY, ONE_OF_MANY -> 0.88 + 0.11 * noise(place, seconds);
            case BURSTY -> seconds / 180 % 2 == id % 2 ? 0.9 + 0.09 * noise(place, seconds) : 0;
            case LOW -> 0.05 + 0.15 * noise(place, seconds);
            case ENDS_EARLY ->
                at.isBefore(start.plus(Duration.between(start, end).dividedBy(3)))
                        ? 0.85 + 0.1 * noise(place, seconds)
                        : 0;
            case WAITING, EMPTY -> 0;
        };
    }

    /** 0..1, the same for the same job, GPU and time. */
    private double noise(int place, long seconds) {
        return Seeds.ratio(Seeds.mix(Seeds.mix(id, place), seconds));
    }
}
