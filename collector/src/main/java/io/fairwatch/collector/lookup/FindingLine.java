package io.fairwatch.collector.lookup;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * One line of a list of findings. Immutable.
 *
 * @param rule name of the rule
 * @param kind what it is about: {@code run}, {@code waiting}, {@code node} or {@code user}
 * @param cluster Slurm's {@code ClusterName}
 * @param jobId raw job id; absent for nodes and users
 * @param start when the run started; absent for others
 * @param node the node; absent for others
 * @param user whose it is; empty for a node
 * @param since when the condition was first seen to hold
 * @param state where the episode stands
 * @param lastSeen when the condition was last seen to hold
 * @param clearSince since when the condition is seen not to hold; absent while it holds
 * @param toldAt when the owner was first told; absent before
 * @param summary what the owner reads
 * @param fix what the owner can do
 * @param evidence the numbers behind it
 * @param notices who was or will be told, or what was done, in order; empty where they were not asked for
 */
public record FindingLine(
        String rule,
        String kind,
        String cluster,
        OptionalLong jobId,
        Optional<Instant> start,
        Optional<String> node,
        String user,
        Instant since,
        FindingRow.State state,
        Instant lastSeen,
        Optional<Instant> clearSince,
        Optional<Instant> toldAt,
        String summary,
        String fix,
        JsonNode evidence,
        List<Sent> notices) {
    private static final ObjectMapper JSON = new ObjectMapper();

    public FindingLine {
        notices = List.copyOf(notices);
    }

    /**
     * Somebody who is told, or something that is done. Immutable. Addresses are left out.
     *
     * @param step number of the ladder's step, from 1
     * @param channel which way it goes
     * @param topic what it is about
     * @param state what became of it
     * @param at when that changed last
     */
    public record Sent(int step, Notice.Channel channel, Notice.Topic topic, Notice.State state, Instant at) {}

    static FindingLine of(FindingRow finding, List<Notice> notices) {
        Subject subject = finding.subject();
        return new FindingLine(
                finding.rule(),
                kind(subject),
                subject.cluster(),
                subject instanceof RunKey run
                        ? OptionalLong.of(run.jobId())
                        : subject instanceof Subject.Waiting job ? OptionalLong.of(job.jobId()) : OptionalLong.empty(),
                subject instanceof RunKey run ? Optional.of(run.start()) : Optional.empty(),
                subject instanceof Subject.OnNode node ? Optional.of(node.node()) : Optional.empty(),
                finding.user(),
                finding.since(),
                finding.state(),
                finding.lastSeen(),
                finding.clearSince(),
                finding.toldAt(),
                finding.summary(),
                finding.fix(),
                evidence(finding.evidence()),
                notices.stream()
                        .map(notice -> new Sent(
                                notice.aim().step(),
                                notice.aim().channel(),
                                notice.aim().topic(),
                                notice.state(),
                                notice.changedAt()))
                        .toList());
    }

    private static String kind(Subject subject) {
        if (subject instanceof RunKey) {
            return "run";
        }
        return subject instanceof Subject.Waiting ? "waiting" : subject instanceof Subject.OnNode ? "node" : "user";
    }

    private static JsonNode evidence(String text) {
        try {
            return JSON.readTree(text);
        } catch (JsonProcessingException e) {
            return JsonNodeFactory.instance.objectNode(); // we wrote it; a finding is not lost for it
        }
    }

    /** Newest first. */
    String key() {
        return Page.descending(since.toEpochMilli())
                + ' '
                + rule
                + ' '
                + cluster
                + ' '
                + Page.descending(jobId.orElse(0))
                + ' '
                + node.orElse("")
                + ' '
                + user
                + ' '
                + start.map(Instant::toString).orElse("");
    }
}
