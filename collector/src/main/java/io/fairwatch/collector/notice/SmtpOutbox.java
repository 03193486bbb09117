package io.fairwatch.collector.notice;

import io.fairwatch.collector.text.Plain;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.PemTrustOptions;
import io.vertx.ext.mail.LoginOption;
import io.vertx.ext.mail.MailAttachment;
import io.vertx.ext.mail.MailClient;
import io.vertx.ext.mail.MailConfig;
import io.vertx.ext.mail.MailMessage;
import io.vertx.ext.mail.MailResult;
import io.vertx.ext.mail.SMTPException;
import io.vertx.ext.mail.StartTLSOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Sends by SMTP through a relay. Thread-safe; {@link #send} blocks and must not be called on an event loop.
 *
 * <p>The mail client does not tell how far a failed conversation came, but it asks a message for its text only after
 * greeting, STARTTLS and login are done, right before the letter goes out. That is the gate: until then a mail can be called
 * back for certain, after it only the server's answer counts.
 */
public final class SmtpOutbox implements Outbox, AutoCloseable {
    private static final String SENDER_REFUSED = "sender address not accepted";
    private static final DateTimeFormatter RFC_5322 = DateTimeFormatter.ofPattern(
                    "EEE, d MMM yyyy HH:mm:ss Z", Locale.ENGLISH)
            .withZone(ZoneOffset.UTC);

    /** Whether the conversation is encrypted. */
    public enum StartTls {
        /** Never: only for a relay on this machine. */
        DISABLED,
        /** If the server offers it. */
        OPTIONAL,
        /** Always: without it nothing is sent. */
        REQUIRED
    }

    /**
     * How to reach the relay. Certificates and host names are always checked.
     *
     * @param host relay
     * @param port its port, usually 25 or 587
     * @param startTls encryption
     * @param caFile PEM file with the authorities to trust in place of Java's; absent: Java's
     * @param username login; absent: none. Needs {@code startTls: REQUIRED}
     * @param passwordFile file whose first line is the password; present exactly with username
     * @param from {@code address} or {@code name <address>}
     * @param bounceAddress where undeliverable mails come back to; absent: to {@code from}
     * @param replyTo address for answers; absent: as {@code from}
     * @param timeout for one mail from connecting to the last answer
     */
    public record Settings(
            String host,
            int port,
            StartTls startTls,
            Optional<Path> caFile,
            Optional<String> username,
            Optional<Path> passwordFile,
            String from,
            Optional<String> bounceAddress,
            Optional<String> replyTo,
            Duration timeout) {
        public Settings {
            bounceAddress.ifPresent(to -> {
                if (!Addresses.isAddress(to)) {
                    throw new IllegalArgumentException(
                            "bounces.address: " + Plain.line(to, 80) + " (expected: an address)");
                }
            });
            if (port < 1 || port > 65535) {
                throw new IllegalArgumentException("port: " + port + " (expected: 1..65535)");
            }
            if (Addresses.addressIn(from).isEmpty()) {
                throw new IllegalArgumentException(
                        "from: " + Plain.line(from, 80) + " (expected: an address, or name <address>)");
            }
            replyTo.ifPresent(to -> {
                if (!Addresses.isAddress(to)) {
                    throw new IllegalArgumentException("replyTo: " + Plain.line(to, 80) + " (expected: an address)");
                }
            });
            if (username.isPresent() != passwordFile.isPresent()) {
                throw new IllegalArgumentException(
                        "username and passwordFile: one is missing (expected: both or none)");
            }
            if (username.isPresent() && startTls != StartTls.REQUIRED) {
                throw new IllegalArgumentException(
                        "startTls: " + startTls.name().toLowerCase(Locale.ROOT)
                                + " (expected: required, so that the password never goes out in clear)");
            }
            if (timeout.toMillis() < 100 || timeout.toHours() >= 1) {
                throw new IllegalArgumentException("timeout: " + timeout + " (expected: PT0.1S to PT1H)");
            }
        }

        /** A relay without login and encryption, e.g. on this machine. */
        public static Settings plain(String host, int port, String from) {
            return new Settings(
                    host,
                    port,
                    StartTls.DISABLED,
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    from,
                    Optional.empty(),
                    Optional.empty(),
                    Duration.ofSeconds(30));
        }

        String fromAddress() {
            return Addresses.addressIn(from).orElseThrow();
        }

        String fromDomain() {
            return fromAddress().substring(fromAddress().indexOf('@') + 1);
        }
    }

    private final Settings settings;
    private final Context context;
    private final MailClient client;

    /**
     * @throws IOException if the password file cannot be read
     */
    public SmtpOutbox(Vertx vertx, Settings settings) throws IOException {
        this.settings = settings;
        // a context of its own: answers must not queue behind the worker that waits for them in send
        this.context = CompletableFuture.supplyAsync(
                        vertx::getOrCreateContext, task -> new Thread(task, "fairwatch-smtp-context").start())
                .join();
        this.client = MailClient.create(vertx, config(settings));
    }

    private static MailConfig config(Settings settings) throws IOException {
        int millis = Math.toIntExact(settings.timeout.toMillis());
        MailConfig config = new MailConfig(settings.host, settings.port)
                .setStarttls(
                        switch (settings.startTls) {
                            case DISABLED -> StartTLSOptions.DISABLED;
                            case OPTIONAL -> StartTLSOptions.OPTIONAL;
                            case REQUIRED -> StartTLSOptions.REQUIRED;
                        })
                // leave hostnameVerificationAlgorithm alone: unset, the client (5.0.8) checks names; set, it does not
                .setTrustAll(false)
                .setLogin(LoginOption.DISABLED)
                .setKeepAlive(false)
                .setPipelining(false)
                .setUserAgent("fairwatch")
                .setConnectTimeout(millis)
                // a conversation that was given up must not keep its socket; what it may still say, the gate decides
                .setIdleTimeout(2 * millis + 1000)
                .setIdleTimeoutUnit(TimeUnit.MILLISECONDS);
        settings.caFile.ifPresent(file -> config.setTrustOptions(new PemTrustOptions().addCertPath(file.toString())));
        if (settings.username.isPresent() && settings.passwordFile.isPresent()) {
            config.setLogin(LoginOption.REQUIRED)
                    .setUsername(settings.username.get())
                    .setPassword(Files.readString(settings.passwordFile.get())
                            .lines()
                            .findFirst()
                            .orElse("")
                            .strip());
        }
        return config;
    }

    @Override
    public Outcome send(Mail mail) {
        if (!Addresses.isAddress(mail.to())) {
            return new Outcome.Refused("not an address: " + Plain.line(mail.to(), 80));
        }
        Gate gate = new Gate();
        MailMessage message = message(mail, gate);
        CompletableFuture<MailResult> answer = new CompletableFuture<>();
        context.runOnContext(v -> client.sendMail(message).onComplete(result -> {
            if (result.succeeded()) {
                answer.complete(result.result());
            } else {
                answer.completeExceptionally(result.cause());
            }
        }));
        try {
            answer.get(settings.timeout.toMillis(), TimeUnit.MILLISECONDS);
            return new Outcome.Delivered("taken by " + settings.host + ":" + settings.port);
        } catch (ExecutionException failed) {
            return outcome(Objects.requireNonNullElse(failed.getCause(), failed), gate.passed());
        } catch (TimeoutException late) {
            return unanswered(gate, "no answer within " + settings.timeout.toMillis() + " ms");
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            return unanswered(gate, "interrupted");
        }
    }

    private MailMessage message(Mail mail, Gate gate) {
        MailMessage message = new MailMessage() {
            @Override
            public String getText() {
                gate.pass();
                return super.getText();
            }
        };
        message.setBounceAddress(settings.bounceAddress.orElse(settings.fromAddress()))
                .setFrom(settings.from)
                .setTo(mail.to())
                .setSubject(mail.letter().subject())
                .setText(mail.letter().text())
                .setHtml(mail.letter().html())
                .addHeader("Message-ID", "<" + mail.id() + "@" + settings.fromDomain() + ">")
                .addHeader("Date", RFC_5322.format(mail.date()))
                .addHeader("Auto-Submitted", "auto-generated")
                .addHeader("X-Auto-Response-Suppress", "OOF, AutoReply");
        settings.replyTo.ifPresent(to -> message.addHeader("Reply-To", to));
        if (!mail.letter().attachments().isEmpty()) {
            message.setAttachment(mail.letter().attachments().stream()
                    .map(file -> MailAttachment.create()
                            .setName(file.name())
                            .setContentType(file.type())
                            .setDisposition("attachment")
                            .setData(Buffer.buffer(file.content())))
                    .toList());
        }
        return message;
    }

    private Outcome outcome(Throwable cause, boolean handedOver) {
        String said =
                cause.getMessage() == null ? cause.getClass().getSimpleName() : Plain.line(cause.getMessage(), 300);
        if (!handedOver) {
            return new Outcome.TryAgain(said, true);
        }
        if (cause instanceof SMTPException reply) {
            boolean aboutUs = said.startsWith(SENDER_REFUSED) || reply.getReplyCode() == 421;
            return reply.isPermanent() && !aboutUs ? new Outcome.Refused(said) : new Outcome.TryAgain(said, aboutUs);
        }
        return new Outcome.Unknown(said);
    }

    private static Outcome unanswered(Gate gate, String why) {
        return gate.close() ? new Outcome.TryAgain(why, true) : new Outcome.Unknown(why + " after handing it over");
    }

    /** Stops the client; a mail that is being sent comes back as an outcome. */
    @Override
    public void close() {
        var unused = client.close();
    }

    /** Decides once between sending a letter and calling it back. Thread-safe. */
    private static final class Gate {
        private enum State {
            OPEN,
            PASSED,
            CLOSED
        }

        private final AtomicReference<State> state = new AtomicReference<>(State.OPEN);

        /** The client takes the letter; it may do so more than once. */
        void pass() {
            if (!state.compareAndSet(State.OPEN, State.PASSED) && state.get() == State.CLOSED) {
                throw new IllegalStateException("called back after its deadline");
            }
        }

        /** Calls the letter back; false: too late. */
        boolean close() {
            return state.compareAndSet(State.OPEN, State.CLOSED);
        }

        boolean passed() {
            return state.get() == State.PASSED;
        }
    }
}
