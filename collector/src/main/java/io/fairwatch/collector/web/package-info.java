/**
 * HTTP for people and programs: jobs, reports, health. Reads the store; nothing reads this.
 *
 * <p>An address is a value ({@code Route}): its parameters, formats and the type of its answer. The server's routes, the
 * check of what is asked, and the OpenAPI description are made of the same values, and the schemas of the types that
 * Jackson writes; so the description cannot lag behind. A parameter that an address does not know is refused: a filter
 * with a typing error would else answer with everything.
 *
 * <p>Questions have threads of their own, those that may take long (reports) others than lookups. So many may wait, and
 * each has a deadline after which its asker hears a sentence. Lists come in parts of bounded size, by keys and not by
 * counting, so that a part neither repeats nor leaves out what stayed.
 *
 * <p>Errors are one sentence of plain text, or of JSON for who asks for JSON, with 400 for a question that makes no sense, 404 for a job that nobody knows,
 * 409 for one that has not started, 503 when the store fails; the shell command makes its exit codes of these. What is
 * asked is checked before it reaches anything else.
 *
 * <p>Where people see their own only ({@code Access}), each address says what of it is theirs, and one that says nothing is
 * for staff: so nothing new is open by mistake. A question is narrowed before it is answered, so that who answers need not
 * know who asks. People are known by munge, because every login node of a Slurm cluster has it and nothing is to be handed
 * out; a Unix socket would know its peer, too, but only where the collector runs on the login node. Elsewhere tokens are
 * signed and not kept. What staff look at is told once an hour for each question, else {@code --watch} would fill the trail.
 */
@NullMarked
package io.fairwatch.collector.web;

import org.jspecify.annotations.NullMarked;
