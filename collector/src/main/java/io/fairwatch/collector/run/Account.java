package io.fairwatch.collector.run;

import java.util.List;
import java.util.Optional;

/**
 * A charging group of Slurm's accounting on one cluster. Immutable. Names are an administrator's and are escaped by whoever
 * shows them.
 *
 * @param name its name, e.g. {@code es.shj}
 * @param parent the account above it; absent for {@code root}
 * @param description what an administrator wrote of it; may be empty
 * @param organization likewise
 * @param coordinators users who look after it; some versions of Slurm name those of the accounts above, too: ask
 *     {@link AccountTree#coordinatorsOf}
 * @param qos names of the QoS that jobs under it may use unless a user's association says otherwise
 * @param limits what it allows
 */
public record Account(
        String name,
        Optional<String> parent,
        String description,
        String organization,
        List<String> coordinators,
        List<String> qos,
        Limits limits) {
    public Account {
        coordinators = List.copyOf(coordinators);
        qos = List.copyOf(qos);
    }
}
