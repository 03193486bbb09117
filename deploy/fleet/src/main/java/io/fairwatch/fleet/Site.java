package io.fairwatch.fleet;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Which nodes a fleet has. Immutable. */
record Site(String cluster, List<Node> nodes) {
    private static final long GIB = 1L << 30;

    /**
     * A kind of GPU.
     *
     * @param name as NVML names it
     * @param type as Slurm's {@code Gres} names it
     * @param memoryBytes memory on board
     * @param idleWatts draw at rest
     * @param busyWatts draw at full use
     */
    record Model(String name, String type, long memoryBytes, double idleWatts, double busyWatts) {}

    /**
     * A node.
     *
     * @param number counts the fleet's nodes from 0
     * @param name Slurm's {@code NodeName}
     * @param model its GPUs
     * @param gpus how many
     * @param cpus logical CPUs
     * @param memoryBytes memory
     */
    record Node(int number, String name, Model model, int gpus, int cpus, long memoryBytes) {
        /** The identity of one of its GPUs. */
        String uuid(int index) {
            return String.format(
                    Locale.ROOT, "GPU-f1ee7000-%04x-4%03x-8000-%012x", number >> 12, number & 0xfff, index);
        }
    }

    Site {
        nodes = List.copyOf(nodes);
    }

    private static final Model T4 = new Model("Tesla T4", "t4", 15 * GIB, 10, 70);
    private static final Model A10 = new Model("NVIDIA A10", "a10", 24 * GIB, 16, 150);
    private static final Model A40 = new Model("NVIDIA A40", "a40", 45 * GIB, 30, 300);
    private static final Model L4 = new Model("NVIDIA L4", "l4", 23 * GIB, 12, 72);
    private static final Model L40S = new Model("NVIDIA L40S", "l40s", 45 * GIB, 34, 350);
    private static final Model V100 = new Model("Tesla V100-SXM3-32GB", "v100", 32 * GIB, 48, 350);
    private static final Model A100 = new Model("NVIDIA A100-SXM4-40GB", "a100", 40 * GIB, 55, 400);
    private static final Model H100 = new Model("NVIDIA H100 80GB HBM3", "h100", 80 * GIB, 70, 700);

    /** A university's cluster: 27 nodes with GPUs of seven kinds. */
    static Site university() {
        Builder site = new Builder();
        site.add("a256-t4-%02d", 1, 3, T4, 6, 64, 256);
        site.add("i256-a10-%02d", 6, 10, A10, 4, 64, 256);
        site.add("a256-a40-%02d", 4, 7, A40, 3, 32, 256);
        site.add("i256-a40-%02d", 1, 2, A40, 4, 24, 256);
        site.add("a512-l4-%02d", 6, 6, L4, 8, 64, 512);
        site.add("a768-l40s-%02d", 1, 6, L40S, 8, 64, 768);
        site.add("nv-ai-%02d", 1, 3, V100, 16, 96, 1470);
        site.add("nv-ai-%02d", 4, 4, A100, 8, 256, 980);
        site.add("cpu-%02d", 1, 2, T4, 0, 128, 512);
        return new Site("simulated", site.nodes);
    }

    /** Any number of equal nodes. */
    static Site uniform(int nodes, int gpus) {
        Builder site = new Builder();
        site.add("n%05d", 1, nodes, H100, gpus, 96, 1024);
        return new Site("simulated", site.nodes);
    }

    private static final class Builder {
        final List<Node> nodes = new ArrayList<>();

        void add(String pattern, int first, int last, Model model, int gpus, int cpus, int memoryGib) {
            for (int i = first; i <= last; i++) {
                nodes.add(new Node(
                        nodes.size(), String.format(Locale.ROOT, pattern, i), model, gpus, cpus, memoryGib * GIB));
            }
        }
    }
}
