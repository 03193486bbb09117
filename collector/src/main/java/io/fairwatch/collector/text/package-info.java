/** Values as plain text for people; the one place that makes harmless what users could have written. */
@NullMarked
package io.fairwatch.collector.text;

import org.jspecify.annotations.NullMarked;
