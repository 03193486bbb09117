/** Judges jobs by rules: values and the time go in, verdicts come out. Pure: no I/O, no clock. */
@NullMarked
package io.fairwatch.rules;

import org.jspecify.annotations.NullMarked;
