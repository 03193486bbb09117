package io.fairwatch.collector.run;

import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * That a user may run jobs under an account. Immutable.
 *
 * @param user login name
 * @param account the account
 * @param partition the only partition for which it holds; absent: all
 * @param defaultQos the QoS of jobs that name none; absent: not set
 * @param qos names of all QoS that jobs may use
 * @param fairshare shares; absent: those of the account ({@code parent})
 * @param limits what it allows
 */
public record Association(
        String user,
        String account,
        Optional<String> partition,
        Optional<String> defaultQos,
        List<String> qos,
        OptionalLong fairshare,
        Limits limits) {
    public Association {
        qos = List.copyOf(qos);
    }
}
