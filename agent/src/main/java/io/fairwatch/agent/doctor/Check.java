package io.fairwatch.agent.doctor;

import java.util.List;

/** Looks at one thing. Called once, on a thread of its own. */
interface Check {
    /** A word for it, the same in every release, e.g. {@code spool}. */
    String name();

    /** What is found; at least one finding. Whatever is thrown becomes an error of this check. */
    List<Finding> look() throws Exception;
}
