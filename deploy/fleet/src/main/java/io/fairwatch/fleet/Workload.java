package io.fairwatch.fleet;

import io.fairwatch.fleet.Job.Habit;
import io.fairwatch.fleet.Job.User;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * The jobs of one node, drawn as time goes on: from ten minutes to two days long, a quarter of them idle, on all GPUs but
 * some 4 % of the time. Follows from the seed and the node's number alone. Confined to one thread.
 */
final class Workload {
    /** How long before its first instant a node's history begins, so that long jobs run there already. */
    private static final Duration BEFORE = Duration.ofDays(2);

    private static final double SHORTEST_SECONDS = 600;
    private static final double LONGEST_SECONDS = 172_800;
    private static final List<User> PEOPLE =
            IntStream.range(0, 60).mapToObj(Workload::user).toList();

    private final Site.Node node;
    private final int fleetSize;
    private final Random random;
    private final List<Integer> freeGpus = new ArrayList<>();
    private final PriorityQueue<Job> running = new PriorityQueue<>(Comparator.comparing(Job::end));
    private Instant nextArrival;
    private int drawn;

    Workload(Site.Node node, int fleetSize, long seed, Instant from) {
        this.node = node;
        this.fleetSize = fleetSize;
        this.random = new Random(Seeds.mix(seed, node.number()));
        for (int i = 0; i < node.gpus(); i++) {
            freeGpus.add(i);
        }
        this.nextArrival = from.minus(BEFORE);
    }

    /** What changed since the call before: jobs that began, and jobs that ended. */
    record Change(List<Job> began, List<Job> ended) {}

    /** Moves on to {@code at}, which must not go back. */
    Change advance(Instant at) {
        List<Job> began = new ArrayList<>();
        List<Job> ended = new ArrayList<>();
        while (!nextArrival.isAfter(at)) {
            endUntil(nextArrival, began, ended);
            Job first = running.peek();
            if (node.gpus() == 0 || !freeGpus.isEmpty()) {
                begin(draw(nextArrival), began);
            } else if (first != null && first.end().isAfter(nextArrival)) {
                nextArrival = first.end(); // whoever comes to a full node before that comes in vain
            }
            nextArrival = nextArrival.plusSeconds(1 + (long) (-Math.log(1 - random.nextDouble()) * meanGapSeconds()));
        }
        endUntil(at, began, ended);
        return new Change(began, ended);
    }

    /** Those that hold something now. */
    Iterable<Job> running() {
        return running;
    }

    private double meanGapSeconds() {
        return node.gpus() == 0 ? 3600 : 1800.0 / Math.max(1, node.gpus());
    }

    private void begin(Job job, List<Job> began) {
        freeGpus.removeAll(job.gpus());
        running.add(job);
        began.add(job);
    }

    private void endUntil(Instant at, List<Job> began, List<Job> ended) {
        for (Job first = running.peek(); first != null && !first.end().isAfter(at); first = running.peek()) {
            running.remove();
            ended.add(first);
            if (first.requeued()) {
                begin(again(first), began); // its GPUs are its own until then, so nobody else takes them
            } else {
                freeGpus.addAll(first.gpus());
            }
        }
    }

    private Job draw(Instant at) {
        User user = PEOPLE.get(random.nextInt(PEOPLE.size()));
        int gpus = node.gpus() == 0 ? 0 : Math.min(freeGpus.size(), gpusWanted());
        Collections.sort(freeGpus);
        List<Integer> held = List.copyOf(freeGpus.subList(0, gpus));
        long seconds = (long) (SHORTEST_SECONDS * Math.pow(LONGEST_SECONDS / SHORTEST_SECONDS, random.nextDouble()));
        Habit habit = habit(gpus);
        int cpus = gpus == 0 ? 1 + random.nextInt(16) : Math.max(1, node.cpus() / node.gpus() * gpus);
        long memory = gpus == 0 ? 32L << 30 : node.memoryBytes() / node.gpus() * gpus;
        return new Job(
                1_000L + (long) drawn++ * fleetSize + node.number(),
                at.minusSeconds(random.nextInt(7200)),
                at,
                at.plusSeconds(seconds),
                Duration.ofHours(1 + seconds / 3600 * (1 + random.nextInt(4))),
                user,
                node,
                held,
                cpus,
                memory,
                habit,
                random.nextInt(50) == 0,
                (gpus == 0 ? "prepare-" : habit == Habit.EMPTY ? "notebook-" : "train-") + random.nextInt(1000));
    }

    private static Job again(Job job) {
        Duration rest = Duration.between(job.start(), job.end());
        return new Job(
                job.id(),
                job.submit(),
                job.end().plusSeconds(125), // Slurm lets a requeued job wait for two minutes
                job.end().plusSeconds(125).plus(rest),
                job.limit(),
                job.user(),
                job.node(),
                job.gpus(),
                job.cpus(),
                job.memoryBytes(),
                job.habit(),
                false,
                job.name());
    }

    private int gpusWanted() {
        int dice = random.nextInt(100);
        return dice < 68 ? 1 : dice < 84 ? 2 : dice < 95 ? 4 : 8;
    }

    private Habit habit(int gpus) {
        int dice = random.nextInt(100);
        if (gpus > 1 && dice < 8) {
            return Habit.ONE_OF_MANY;
        }
        if (dice < 18) {
            return Habit.WAITING;
        }
        return dice < 25
                ? Habit.EMPTY
                : dice < 33 ? Habit.ENDS_EARLY : dice < 45 ? Habit.LOW : dice < 70 ? Habit.BURSTY : Habit.STEADY;
    }

    private static User user(int number) {
        String department = List.of("cs", "es", "its", "math", "bio").get(number % 5);
        return new User(
                21_000 + number,
                String.format(Locale.ROOT, "u%02d@%s.example.org", number, department),
                department + (number % 3 == 0 ? "" : "." + "abc".charAt(number % 3)));
    }
}
