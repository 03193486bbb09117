package io.fairwatch.collector.web;

/** Who asks. */
sealed interface Viewer {
    /** Anybody, where everybody sees everything. */
    record Anybody() implements Viewer {}

    /**
     * Somebody of the staff: sees everything, and that is written down.
     *
     * @param name login name, or how the token is called
     */
    record Staff(String name) implements Viewer {}

    /**
     * A person who sees what is theirs, and that of accounts that they coordinate.
     *
     * @param user login name
     */
    record Person(String user) implements Viewer {}
}
