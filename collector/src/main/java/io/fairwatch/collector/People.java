package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile;
import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.collector.notice.Addresses;
import io.fairwatch.collector.notice.Directory;
import io.fairwatch.collector.notice.GecosEntries;
import io.fairwatch.collector.notice.HttpWebhook;
import io.fairwatch.collector.notice.LdapEntries;
import io.fairwatch.collector.notice.Notifier;
import io.fairwatch.collector.notice.Person;
import io.fairwatch.collector.notice.QuietTime;
import io.fairwatch.collector.notice.Texts;
import io.fairwatch.collector.slurm.SlurmCommand;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What the files say that the configuration of people names. Immutable.
 *
 * @param languages all texts
 * @param known single people
 * @param holidays days without mails
 * @param hookSecret signs what is posted to the webhook
 */
record People(
        Texts.Languages languages,
        Map<String, Person.Known> known,
        Set<LocalDate> holidays,
        Optional<String> hookSecret) {

    /** Reads them, and notes all that is wrong. */
    static People read(CollectorConfig config, List<String> problems) {
        PeopleConfig people = config.people();
        Map<String, Person.Known> known = Map.of();
        if (people.file().isPresent()) {
            try {
                known = ConfigFile.read(people.file().get(), PeopleConfig.People.class)
                        .known();
            } catch (ConfigException wrong) {
                problems.addAll(String.valueOf(wrong.getMessage()).lines().toList());
            }
        }
        Set<LocalDate> holidays = people.quiet()
                .holidaysFile()
                .flatMap(file ->
                        content(file, problems).map(text -> QuietTime.holidays(file.toString(), text, problems)))
                .orElse(Set.of());
        people.ldap().ifPresent(ldap -> Stream.of(ldap.caFile(), ldap.passwordFile())
                .flatMap(Optional::stream)
                .forEach(file -> content(file, problems)));
        Optional<String> hookSecret = config.escalation()
                .webhook()
                .flatMap(CollectorConfig.Hook::secretFile)
                .flatMap(file -> content(file, problems))
                .map(text -> text.lines().findFirst().orElse("").strip());
        if (hookSecret.isPresent() && hookSecret.get().isEmpty()) {
            problems.add("escalation.webhook.secretFile: empty (expected: a secret in its first line)");
        }
        return new People(
                Texts.Languages.read(
                        texts(people.texts(), problems),
                        people.language(),
                        config.site().zoneId(),
                        problems),
                known,
                holidays,
                hookSecret);
    }

    /** Who there is to be told. */
    Notifier.Recipients recipients(CollectorConfig config, Store store, InstantSource clock) {
        return new Notifier.Recipients(
                new Directory(known, new Addresses(config.mail().userTemplate()), entries(config, clock)),
                config.escalation().staff().isEmpty()
                        ? List.of(config.site().support())
                        : config.escalation().staff(),
                account -> coordinators(store, account),
                config.escalation().webhook().map(hook -> new HttpWebhook(hook.url(), hookSecret, hook.timeout())));
    }

    private static Optional<Directory.Entries> entries(CollectorConfig config, InstantSource clock) {
        Optional<Directory.Entries> ldap =
                config.people().ldap().map(settings -> new LdapEntries(settings.settings(), clock));
        if (!config.people().gecos()) {
            return ldap;
        }
        Directory.Entries gecos =
                new GecosEntries(new SlurmCommand(config.slurm().settings())::passwd, clock);
        return Optional.of(ldap.map(known -> known.named(gecos)).orElse(gecos));
    }

    /** Who coordinates an account, as Slurm last told; nobody while it has not. */
    private static List<String> coordinators(Store store, String account) {
        try {
            return store.accounts()
                    .map(tree -> List.copyOf(tree.coordinatorsOf(account)))
                    .orElse(List.of());
        } catch (StoreException e) {
            throw new IllegalStateException("the store cannot say who coordinates " + account, e);
        }
    }

    private static List<Texts.SiteFile> texts(Optional<Path> directory, List<String> problems) {
        List<Texts.SiteFile> files = new ArrayList<>();
        if (directory.isPresent()) {
            try (Stream<Path> all = Files.list(directory.get())) {
                for (Path file : all.filter(path -> path.toString().endsWith(".properties"))
                        .sorted()
                        .toList()) {
                    String name = String.valueOf(file.getFileName());
                    content(file, problems)
                            .ifPresent(text -> files.add(new Texts.SiteFile(
                                    file.toString(), name.substring(0, name.length() - ".properties".length()), text)));
                }
            } catch (IOException | UncheckedIOException e) {
                problems.add(directory.get() + ": cannot be read: " + e);
            }
        }
        return files;
    }

    private static Optional<String> content(Path file, List<String> problems) {
        try {
            return Optional.of(Files.readString(file));
        } catch (IOException | UncheckedIOException e) {
            problems.add(file + ": cannot be read: " + e);
            return Optional.empty();
        }
    }
}
