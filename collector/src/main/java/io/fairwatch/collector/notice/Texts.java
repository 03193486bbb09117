package io.fairwatch.collector.notice;

import io.fairwatch.collector.text.Plain;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.text.DecimalFormat;
import java.text.DecimalFormatSymbols;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Everything that Fairwatch says to people in one language. Immutable.
 *
 * <p>A bundle is lines of {@code key = text}, where {@code {word}} is filled in. English is complete and says which words a
 * text may use; another language, and a site's own file, may leave texts out, but may not have keys or words that English
 * has not: that is checked when they are read, so that no mail fails later.
 */
public final class Texts {
    private static final Pattern LINE = Pattern.compile("([a-z_]+(?:\\.[a-z_]+)*)\\s*=\\s*(.*)");
    private static final Pattern WORD = Pattern.compile("\\{([^{}]*)}");
    private static final String ENGLISH = "en";
    private static final Set<String> SHIPPED = Set.of(ENGLISH, "da");

    private final Map<String, String> texts;
    private final Locale locale;
    private final ZoneId zone;

    private Texts(Map<String, String> texts, Locale locale, ZoneId zone) {
        this.texts = texts;
        this.locale = locale;
        this.zone = zone;
    }

    /**
     * A file of a site.
     *
     * @param name as it is to be shown when something is wrong with it
     * @param language of its texts, e.g. {@code da}
     */
    public record SiteFile(String name, String language, String content) {}

    /** All languages. Immutable. */
    public static final class Languages {
        private final Map<String, Texts> byLanguage;
        private final String preset;

        private Languages(Map<String, Texts> byLanguage, String preset) {
            this.byLanguage = byLanguage;
            this.preset = preset;
        }

        /**
         * Reads the shipped languages and a site's changes.
         *
         * @param preset the site's language
         * @param problems takes what is wrong, one sentence each; what is wrong is left out
         */
        public static Languages read(List<SiteFile> files, String preset, ZoneId zone, List<String> problems) {
            Map<String, Map<String, String>> all = new LinkedHashMap<>();
            Map<String, String> english = parse(ENGLISH + ".properties", shipped(ENGLISH), Optional.empty(), problems);
            for (String language : new TreeSet<>(SHIPPED)) {
                Map<String, String> texts = new LinkedHashMap<>(english);
                texts.putAll(parse(language + ".properties", shipped(language), Optional.of(english), problems));
                all.put(language, texts);
            }
            for (SiteFile file : files) {
                if (!file.language().matches("[a-z]{2,3}")) {
                    problems.add(file.name() + ": language " + Plain.line(file.language(), 40)
                            + " (expected: a file name such as da.properties)");
                    continue;
                }
                all.computeIfAbsent(file.language(), language -> new LinkedHashMap<>(english))
                        .putAll(parse(file.name(), file.content(), Optional.of(english), problems));
            }
            if (!all.containsKey(preset)) {
                problems.add("language: " + Plain.line(preset, 40) + " (expected: one of "
                        + String.join(", ", new TreeSet<>(all.keySet())) + ")");
            }
            Map<String, Texts> byLanguage = new LinkedHashMap<>();
            all.forEach((language, texts) ->
                    byLanguage.put(language, new Texts(Map.copyOf(texts), Locale.forLanguageTag(language), zone)));
            return new Languages(byLanguage, all.containsKey(preset) ? preset : ENGLISH);
        }

        /** The shipped languages in a zone, English where nothing else is said. */
        public static Languages shippedIn(ZoneId zone) {
            return read(List.of(), ENGLISH, zone, new ArrayList<>());
        }

        /** The texts for somebody: the first of the given languages that is there, else the site's. */
        public Texts of(Optional<String> language) {
            for (String one : language.orElse("").split("[,; ]+", -1)) {
                Texts found = byLanguage.get(one.toLowerCase(Locale.ROOT).split("[-_]", 2)[0]);
                if (found != null) {
                    return found;
                }
            }
            Texts site = byLanguage.get(preset);
            if (site == null) {
                throw new IllegalStateException("no texts in " + preset);
            }
            return site;
        }
    }

    private static String shipped(String language) {
        try (InputStream in = Texts.class.getResourceAsStream(language + ".properties")) {
            if (in == null) {
                throw new IllegalStateException("this jar lacks the texts in " + language);
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Map<String, String> parse(
            String file, String content, Optional<Map<String, String>> model, List<String> problems) {
        Map<String, String> texts = new LinkedHashMap<>();
        int number = 0;
        for (String raw : content.lines().toList()) {
            number++;
            String line = raw.strip();
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            String where = file + ":" + number + ": ";
            Matcher matcher = LINE.matcher(line);
            if (!matcher.matches()) {
                problems.add(where + Plain.line(line, 60) + " (expected: key = text)");
                continue;
            }
            String key = matcher.group(1);
            String text = Plain.line(matcher.group(2), 2000);
            String pattern = model.map(texts0 -> texts0.get(key)).orElse(model.isPresent() ? null : text);
            if (pattern == null) {
                problems.add(where + "unknown text " + key + " (expected: a key of the English texts)");
            } else if (!words(pattern).containsAll(words(text))) {
                Set<String> unknown = new TreeSet<>(words(text));
                unknown.removeAll(words(pattern));
                problems.add(where + key + ": unknown word {" + String.join("}, {", unknown) + "} (expected: "
                        + (words(pattern).isEmpty() ? "none" : "{" + String.join("}, {", words(pattern)) + "}") + ")");
            } else if (WORD.matcher(text).replaceAll("").matches(".*[{}].*")) {
                problems.add(where + key + ": a brace alone (expected: {word})");
            } else if (texts.put(key, text) != null) {
                problems.add(where + key + ": given twice");
            }
        }
        return texts;
    }

    private static Set<String> words(String text) {
        Set<String> words = new TreeSet<>();
        WORD.matcher(text).results().forEach(found -> words.add(found.group(1)));
        return words;
    }

    // ---- what is said

    /** A language tag, e.g. {@code da}. */
    public String language() {
        return locale.toLanguageTag();
    }

    /**
     * A text, filled in.
     *
     * @param words names and values by turns; values are put in as they are
     */
    public String say(String key, String... words) {
        String text = texts.get(key);
        if (text == null) {
            throw new IllegalArgumentException("no text " + key);
        }
        Map<String, String> values = new LinkedHashMap<>();
        for (int i = 0; i + 1 < words.length; i += 2) {
            values.put(words[i], words[i + 1]);
        }
        // one pass: a value with braces is no pattern
        return WORD.matcher(text)
                .replaceAll(found -> Matcher.quoteReplacement(values.getOrDefault(found.group(1), "")))
                .strip();
    }

    /** E.g. {@code Mon 23 Nov 2026 08:12 CET}. */
    public String full(Instant at) {
        return DateTimeFormatter.ofPattern("EEE d MMM yyyy HH:mm zzz", locale).format(at.atZone(zone));
    }

    /** {@code 08:12}, or {@code 22 Nov 08:12} on another day than {@code now}. */
    String brief(Instant at, Instant now) {
        ZonedDateTime local = at.atZone(zone);
        boolean today = local.toLocalDate().equals(now.atZone(zone).toLocalDate());
        return DateTimeFormatter.ofPattern(today ? "HH:mm" : "d MMM HH:mm", locale)
                .format(local);
    }

    /** E.g. {@code CET}. */
    String zoneOf(Instant at) {
        return DateTimeFormatter.ofPattern("zzz", locale).format(at.atZone(zone));
    }

    /** E.g. {@code 45 min}, {@code 2 h 30 min}, {@code 3 days 4 h}; never rounded up. */
    public String length(Duration duration) {
        long seconds = Math.max(0, duration.toSeconds());
        if (seconds < 60) {
            return unit("time.seconds", seconds);
        }
        long minutes = seconds / 60;
        if (minutes < 60) {
            return unit("time.minutes", minutes);
        }
        long hours = minutes / 60;
        if (hours < 24) {
            return unit("time.hours", hours) + (minutes % 60 == 0 ? "" : " " + unit("time.minutes", minutes % 60));
        }
        long days = hours / 24;
        return (days == 1 ? say("time.days.one") : unit("time.days", days))
                + (hours % 24 == 0 ? "" : " " + unit("time.hours", hours % 24));
    }

    private String unit(String key, long number) {
        return say(key, "n", Long.toString(number));
    }

    /** With so many decimals; cut, not rounded: nobody is told of more than there was. */
    String number(double value, int decimals) {
        DecimalFormat format = new DecimalFormat("0." + "0".repeat(decimals), DecimalFormatSymbols.getInstance(locale));
        format.setRoundingMode(RoundingMode.DOWN);
        return format.format(value);
    }

    /** {@code 31.0 GiB}. */
    String bytes(long bytes) {
        String text = Plain.bytes(bytes);
        char comma = DecimalFormatSymbols.getInstance(locale).getDecimalSeparator();
        return text.replace('.', comma);
    }
}
