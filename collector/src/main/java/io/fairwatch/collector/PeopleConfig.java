package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile.Default;
import io.fairwatch.agent.config.ConfigFile.Range;
import io.fairwatch.collector.notice.LdapEntries;
import io.fairwatch.collector.notice.Person;
import io.fairwatch.collector.notice.QuietTime;
import io.fairwatch.rules.Rule;
import java.net.URI;
import java.nio.file.Path;
import java.time.DayOfWeek;
import java.time.Duration;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.format.DateTimeParseException;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * How people are written to. Immutable.
 *
 * @param language of people of whom nothing else is known
 * @param texts directory of the site's own texts, e.g. {@code da.properties}; absent: only the shipped ones
 * @param file of single people, see {@link People}; absent: none
 * @param ldap directory with addresses, names and languages; absent: none
 * @param gecos whether names for the greeting come from the accounts of the machine where Slurm's commands run
 * @param weekly severities of rules whose findings wait for a weekly mail
 * @param quiet when people are left in peace
 */
record PeopleConfig(
        @Default("en") String language,
        Optional<Path> texts,
        Optional<Path> file,
        Optional<Ldap> ldap,
        @Default("true") boolean gecos,
        List<Rule.Severity> weekly,
        Quiet quiet) {

    /**
     * The file of single people, a YAML file of its own.
     *
     * @param people by user name
     */
    record People(Map<String, Entry> people) {
        Map<String, Person.Known> known() {
            Map<String, Person.Known> known = new HashMap<>();
            people.forEach((user, entry) -> known.put(user, entry.known()));
            return known;
        }
    }

    /** One of them; what is left out is as for everybody. */
    record Entry(Optional<String> address, Optional<String> name, Optional<String> language, Optional<Boolean> weekly) {
        Entry {
            new Person.Known(address, name, language, weekly); // refuses what is no address
        }

        Person.Known known() {
            return new Person.Known(address, name, language, weekly);
        }
    }

    /** See {@link LdapEntries.Settings}. */
    record Ldap(
            URI url,
            @Default("true") boolean startTls,
            Optional<Path> caFile,
            Optional<String> bindDn,
            Optional<Path> passwordFile,
            String baseDn,
            @Default("(uid=%u)") String filter,
            @Default("mail") String mail,
            @Default("displayName") String name,
            @Default("preferredLanguage") String preferredLanguage,
            @Default("5s") @Range(from = "100ms", to = "1m") Duration timeout,
            @Default("1h") @Range(from = "1s", to = "7d") Duration keep) {
        Ldap {
            settings(
                    url,
                    startTls,
                    caFile,
                    bindDn,
                    passwordFile,
                    baseDn,
                    filter,
                    mail,
                    name,
                    preferredLanguage,
                    timeout,
                    keep);
        }

        LdapEntries.Settings settings() {
            return settings(
                    url,
                    startTls,
                    caFile,
                    bindDn,
                    passwordFile,
                    baseDn,
                    filter,
                    mail,
                    name,
                    preferredLanguage,
                    timeout,
                    keep);
        }

        private static LdapEntries.Settings settings(
                URI url,
                boolean startTls,
                Optional<Path> caFile,
                Optional<String> bindDn,
                Optional<Path> passwordFile,
                String baseDn,
                String filter,
                String mail,
                String name,
                String preferredLanguage,
                Duration timeout,
                Duration keep) {
            return new LdapEntries.Settings(
                    url,
                    startTls,
                    caFile,
                    bindDn,
                    passwordFile,
                    baseDn,
                    filter,
                    mail,
                    name,
                    preferredLanguage,
                    timeout,
                    keep);
        }
    }

    /** Days of the week as people write them. */
    enum Day {
        MON(DayOfWeek.MONDAY),
        TUE(DayOfWeek.TUESDAY),
        WED(DayOfWeek.WEDNESDAY),
        THU(DayOfWeek.THURSDAY),
        FRI(DayOfWeek.FRIDAY),
        SAT(DayOfWeek.SATURDAY),
        SUN(DayOfWeek.SUNDAY);

        private final DayOfWeek day;

        Day(DayOfWeek day) {
            this.day = day;
        }

        DayOfWeek day() {
            return day;
        }
    }

    /**
     * When people are left in peace.
     *
     * @param from no mails from this time of the day on; the same as {@code to}: at no time
     * @param to until this
     * @param workDays mails go out on these days only; none given: on each
     * @param holidaysFile days on which none go out; absent: none
     * @param weeklyDay day of the weekly mail
     */
    record Quiet(
            @Default("00:00") String from,
            @Default("00:00") String to,
            List<Day> workDays,
            Optional<Path> holidaysFile,
            @Default("mon") Day weeklyDay) {
        Quiet {
            time("from", from);
            time("to", to);
            quietTime(from, to, workDays, weeklyDay, Set.of(), ZoneOffset.UTC);
        }

        QuietTime quietTime(Set<LocalDate> holidays, ZoneId zone) {
            return quietTime(from, to, workDays, weeklyDay, holidays, zone);
        }

        private static QuietTime quietTime(
                String from, String to, List<Day> workDays, Day weeklyDay, Set<LocalDate> holidays, ZoneId zone) {
            Set<DayOfWeek> days = EnumSet.noneOf(DayOfWeek.class);
            workDays.forEach(day -> days.add(day.day()));
            return new QuietTime(
                    time("from", from),
                    time("to", to),
                    days.isEmpty() ? EnumSet.allOf(DayOfWeek.class) : days,
                    holidays,
                    weeklyDay.day(),
                    zone);
        }

        private static LocalTime time(String key, String text) {
            try {
                return LocalTime.parse(text);
            } catch (DateTimeParseException e) {
                throw new IllegalArgumentException(
                        key + ": " + text + " (expected: a time such as \"07:30\", in quotes)", e);
            }
        }
    }

    PeopleConfig {
        if (!language.matches("[a-z]{2,3}")) {
            throw new IllegalArgumentException(
                    "language: " + language.toLowerCase(Locale.ROOT) + " (expected: e.g. en or da)");
        }
    }
}
