/**
 * HTTP for people and programs: jobs, reports, health. Reads the store; nothing reads this.
 *
 * <p>Errors are one sentence of plain text, with 400 for a question that makes no sense, 404 for a job that nobody knows,
 * 409 for one that has not started, 503 when the store fails; the shell command makes its exit codes of these. What is
 * asked is checked before it reaches anything else.
 */
@NullMarked
package io.fairwatch.collector.web;

import org.jspecify.annotations.NullMarked;
