/** The program that runs on each compute node: {@code Main} and its configuration. Nobody imports from here. */
@NullMarked
package io.fairwatch.agent;

import org.jspecify.annotations.NullMarked;
