package io.fairwatch.collector.notice;

import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends letters that are about no finding, such as reports: each at most once to each person, whatever is killed meanwhile.
 * That it is about to leave is durable before its first byte does, so what nobody knows the end of is never sent again. What
 * the mail server certainly did not take may be tried again. While mails are off it is withheld for good, like notices.
 * Confined to one thread; blocks.
 */
public final class Post {
    private static final Logger LOG = LoggerFactory.getLogger(Post.class);

    /** What is remembered of a letter that was certainly not taken. */
    private static final Instant NOT_TAKEN = Instant.EPOCH;

    private final Store store;
    private final Outbox outbox;
    private final Notifier.Mode mode;
    private final Optional<String> redirectAllTo;
    private final InstantSource clock;

    /** @param redirectAllTo all letters go there and nobody else gets any; absent: people get theirs */
    public Post(Store store, Outbox outbox, Notifier.Mode mode, Optional<String> redirectAllTo, InstantSource clock) {
        this.store = store;
        this.outbox = outbox;
        this.mode = mode;
        this.redirectAllTo = redirectAllTo;
        this.clock = clock;
    }

    /** Whether nothing is left to do about a letter. */
    public boolean isOver(String what, String to) throws StoreException {
        return store.mark(key(what, to)).filter(at -> !at.equals(NOT_TAKEN)).isPresent();
    }

    /**
     * Sends a letter, unless it is over.
     *
     * @param what which letter, the same whenever it is the same
     * @param to address
     * @return whether it is over now
     */
    public boolean send(String what, String to, Letter letter) throws StoreException {
        if (isOver(what, to)) {
            return true;
        }
        String key = key(what, to);
        Instant now = clock.instant();
        if (mode == Notifier.Mode.RECORD) {
            audit(key, now, AuditEntry.Outcome.NOT_TAKEN, what + " to " + to + ": mails are off (mail.mode: record)");
            store.saveMark(key, now);
            return true;
        }
        audit(key, now, AuditEntry.Outcome.INTENDED, what + " to " + to);
        store.saveMark(key, now);
        Outbox.Outcome outcome = outbox.send(new Outbox.Mail(
                key.substring(key.indexOf('.') + 1),
                redirectAllTo.orElse(to),
                now,
                redirectAllTo.isPresent() ? letter.rehearsedFor(to) : letter));
        String said = what + " to "
                + redirectAllTo.map(other -> other + " in place of " + to).orElse(to) + ": " + outcome.detail();
        if (outcome instanceof Outbox.Outcome.Delivered) {
            audit(key, now, AuditEntry.Outcome.DONE, said);
            LOG.info("letter delivered what={} to={}", what, redirectAllTo.orElse(to));
            return true;
        }
        audit(key, now, AuditEntry.Outcome.FAILED, said);
        LOG.warn("letter not delivered what={} why={}", what, outcome.detail());
        if (outcome instanceof Outbox.Outcome.TryAgain) {
            store.saveMark(key, NOT_TAKEN);
            return false;
        }
        return true;
    }

    private void audit(String key, Instant at, AuditEntry.Outcome outcome, String reason) throws StoreException {
        AuditEntry entry = new AuditEntry(
                key + "." + outcome + "." + at.toEpochMilli(),
                at,
                "fairwatch",
                "send",
                outcome,
                Optional.empty(),
                Optional.empty(),
                "",
                reason,
                "{}");
        store.saveDecisions(new Store.Decisions(List.of(), List.of(), List.of(), List.of(entry)));
    }

    private String key(String what, String to) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256")
                    .digest(String.join("\n", what, to, redirectAllTo.orElse(""))
                            .getBytes(StandardCharsets.UTF_8));
            return "letter." + HexFormat.of().formatHex(hash, 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has it
        }
    }
}
