package io.fairwatch.collector.store;

/**
 * What an agent lost. Immutable.
 *
 * @param node node
 * @param snapshots how many it dropped because its spool was full or could not be written
 */
public record AgentLoss(String node, long snapshots) {}
