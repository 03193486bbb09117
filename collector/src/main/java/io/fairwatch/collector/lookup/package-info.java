/**
 * Answers "what is my job doing?": reads the store, joins nothing that was not joined before, renders text, CSV and JSON.
 *
 * <p>Text is rendered here and not by the shell script, so that a front-end node needs nothing but {@code curl}. Whatever
 * a user could have written (job names above all) is made harmless where it is printed: control characters, line
 * separators and characters that turn the writing direction become {@code ?}.
 *
 * <p>Every figure comes with how complete it is, and what is not known is said to be unknown. The lines below the words
 * are those of {@code nvidia-smi --format=csv}, because people's habits and scripts know them.
 */
@NullMarked
package io.fairwatch.collector.lookup;

import org.jspecify.annotations.NullMarked;
