package io.fairwatch.collector.run;

import java.util.Optional;

/**
 * A GPU that Slurm gave to a run. Immutable.
 *
 * @param node node
 * @param gresIndex Slurm's number of the card on that node; neither NVML's index nor always the minor number. Source:
 *     {@code IDX} in {@code gres_detail}
 * @param type Slurm's type, e.g. {@code v100}; absent for untyped GRES
 * @param uuid the device behind that number; absent until the node has reported its GPUs
 * @param confidence how sure the translation from number to device is
 */
public record AllocatedGpu(
        String node, int gresIndex, Optional<String> type, Optional<String> uuid, Confidence confidence) {

    /** How sure the translation from Slurm's number to a device is, least first. */
    public enum Confidence {
        /** No device is known for the number. */
        UNKNOWN,
        /** Slurm's rule for numbering says so; nothing on the node speaks for or against it. */
        ASSUMED,
        /** Minor number and PCI order agree, so there is nothing to confuse. */
        CERTAIN,
        /** Processes of jobs were seen on the devices that the translation names. */
        CONFIRMED,
        /** Processes of jobs were seen on other devices than any translation names: to be looked at by a person. */
        CONTRADICTED
    }

    public AllocatedGpu {
        node = node.intern();
        type = type.map(String::intern);
        uuid = uuid.map(String::intern);
        if (gresIndex < 0) {
            throw new IllegalArgumentException("gresIndex: " + gresIndex + " (expected: 0 or more)");
        }
    }
}
