/** The service that joins, stores, judges and tells: {@code Main} and its configuration. Nobody imports from here. */
@NullMarked
package io.fairwatch.collector;

import org.jspecify.annotations.NullMarked;
