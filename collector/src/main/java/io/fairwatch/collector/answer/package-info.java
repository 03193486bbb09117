/**
 * What comes back about findings: from owners by the link in a mail, from staff by the API, from mail servers by an alias. What
 * people say is in the audit trail.
 *
 * <p>{@code mail -> AnswerLinks -> AnswerPages -> Exemption, Notice, AuditEntry (store)}. {@code Main} mounts the routes.
 *
 * <p>Decisions:
 *
 * <ul>
 *   <li><b>No login.</b> Who has the mail has the link; it says about what, which rule, whose and until when, and is
 *       signed with HMAC-SHA256. It can excuse or end that one thing and nothing else, so a forwarded mail is a small matter.
 *   <li><b>What has a link, and what has none.</b> A run and a job that waits: needed until, may be ended, not mine. A job that
 *       waits is excused until it starts, and is cancelled only where owners may end running jobs; the rest of an array goes
 *       to staff, since its number means the tasks that run, too. What a user did or keeps: needed until, not mine, for that
 *       one rule; there is nothing to end. A node is nobody's, so staff alone hear of it.
 *   <li><b>GET changes nothing.</b> Mail scanners follow links; only the button of the page posts.
 *   <li><b>No JavaScript, no cookies, nothing from elsewhere</b>: the page is one form, and its policy says so.
 *   <li><b>An answer pauses the ladder and changes no verdict</b>: everybody still sees what the job does.
 *   <li><b>The switch of staff is an exemption</b> of every job from what is done to jobs: it begins, ends by itself or by hand,
 *       has a reason, and is in the trail as the others are. The switch file stays for whom only a shell is left.
 *   <li><b>Staff show one token</b> from a file and say who they are; names of people who log in are for whatever stands in
 *       front of the collector.
 * </ul>
 */
@NullMarked
package io.fairwatch.collector.answer;

import org.jspecify.annotations.NullMarked;
