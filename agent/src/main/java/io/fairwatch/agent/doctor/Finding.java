package io.fairwatch.agent.doctor;

import java.util.Optional;

/**
 * What a check found. Immutable.
 *
 * @param check its name
 * @param severity how bad it is
 * @param what is the case, in a sentence or two
 * @param advice what to do about it; absent when there is nothing to do
 */
public record Finding(String check, Severity severity, String what, Optional<String> advice) {
    /** How bad it is, the worst last. */
    public enum Severity {
        /** It works, or is not needed on this node. */
        FINE(0),
        /** The agent works, but something is missing or will go wrong. */
        WARNING(1),
        /** Something that was asked for does not work. */
        ERROR(2);

        private final int exitCode;

        Severity(int exitCode) {
            this.exitCode = exitCode;
        }

        /** What the doctor exits with when this is the worst: 0, 1 or 2. */
        public int exitCode() {
            return exitCode;
        }
    }

    static Finding fine(String check, String what) {
        return new Finding(check, Severity.FINE, printable(what), Optional.empty());
    }

    static Finding warning(String check, String what, String advice) {
        return new Finding(check, Severity.WARNING, printable(what), Optional.of(printable(advice)));
    }

    static Finding error(String check, String what, String advice) {
        return new Finding(check, Severity.ERROR, printable(what), Optional.of(printable(advice)));
    }

    /** Parts of it may come from other people: names of files, answers. */
    private static String printable(String text) {
        return text.replaceAll("\\p{Cntrl}+", " ").strip();
    }
}
