/**
 * Tells people of findings: owners, coordinators, staff, and a program of the site. Only this package talks SMTP and LDAP.
 *
 * <p>{@code rules -> FindingRow, Notice PLANNED (store) -> Notifier -> MatterSource, LetterWriter -> Outbox (SMTP) -> Notice
 * DELIVERED, FindingRow one step further (store)}. {@code NoticePlanner} makes the notices, {@code DueNotices} says which of
 * them go out, {@code Returned} takes back what came back. {@code Main} builds a {@link
 * io.fairwatch.collector.notice.Notifier} and calls it from a timer on a worker thread.
 *
 * <p>Decisions:
 *
 * <ul>
 *   <li><b>At most once.</b> SMTP cannot say "did you take this already?", so a mail can be lost or doubled when a process
 *       or a connection dies at the wrong instant. A person who is told twice stops reading; a mail that got lost is seen
 *       by staff, because its notice stands as UNCONFIRMED. So SENDING is durable before the first byte leaves, and
 *       whatever is found SENDING later is never sent again. The same holds for a connection that breaks between the
 *       moment when the letter is handed to the mail client and the mail server's answer. Before that moment, and after any
 *       answer of the server that is not yes, the mail has certainly not been taken, and it may be tried again.
 *   <li><b>The id of a notice is computed</b> from run, rule, beginning of the episode, step and recipient. Whoever plans a
 *       step again, after a crash or by mistake, meets the notice that is there.
 *   <li><b>One mail for one person and round.</b> Notices are kept one by one, because each belongs to its episode; all that
 *       are due to one recipient share a mail and its Message-ID, become SENDING in one transaction and DELIVERED in one. The
 *       mail's id is computed from theirs, so that a mail that is tried again has the same. What was put off goes along with
 *       the first that is due, since a mail more to a recipient who could not be reached helps nobody. Nothing waits for
 *       what the next round of judging may find: what is found in one round is kept in one transaction, so two mails about
 *       one job mean two rounds, and a round more is a minute of the ninety seconds that a mail may take, or more on a
 *       large cluster.
 *   <li><b>What waited is looked at again</b>, for the day or for a mail server: it is told when a round of judging has just
 *       seen it. Where one has not, the whole mail waits for the next round, which looks; what cannot be seen then (its
 *       node is silent, it is suspended) keeps only itself waiting.
 *   <li><b>A step is delivered when the first of its notices is</b>: with three people in support, one full mailbox does not
 *       stop the ladder. A step with nobody to tell is passed over.
 *   <li><b>Who is away is waited for.</b> While LDAP cannot be asked, mails to people whose address only it knows are put
 *       off, like those that a mail server puts off; others go out.
 *   <li><b>Texts are data</b>: lines of {@code key = text} for each language, which a site may change, with no logic in
 *       them. A template engine would bring a language of its own that could fail when a mail is written; here all that can
 *       be wrong is found when the texts are read. What the numbers are, and in which order they come, is the same for all.
 *   <li><b>Pictures are table cells with a colour</b>, not images: most mail programs load no images, and what is inline
 *       counts as an attachment in some. The text part has the same strip as characters.
 *   <li><b>Mails are off by default</b> ({@code record}): notices are kept as WITHHELD and nothing is sent, and the ladder
 *       goes on as if they had been, so that staff can see for two weeks all that would have been sent, when, to whom, and
 *       what would have been done. A notice that was withheld stays so; switching mails on does not send what was withheld.
 *   <li><b>Switched on, the ladder begins anew.</b> Episodes in which something was rehearsed end when the first collector with
 *       mails starts; what goes on is found once more, holds once more, and its owner hears of it first. Setting the same
 *       episode back would have to overwrite what was rehearsed, because a step of an episode has one notice for ever. An
 *       owner who was told before the rehearsal hears of it once more.
 *   <li><b>Late is worse than never.</b> When the run has ended or the condition with it, nothing is sent. While the
 *       condition is seen not to hold, but the episode is not over, the mail waits. So a mail server that is away for a
 *       night does not send a hundred stale mails in the morning, and retries need no other end.
 *   <li><b>Taken is not read.</b> A mail that comes back was not delivered: its notice is BOUNCED, the finding is untold, and
 *       staff hear of it. Reports come by an alias of the mail server, since what reads a mailbox needs a password and finds
 *       out late; which mail it was is told by its Message-ID, which only those know who got or carried it. A forged report
 *       can spare its own recipient, and staff see it; it can name nobody else. An address from which several mails came back
 *       gets no more, until staff say that it is good again or a month has passed.
 *   <li><b>What a mail said will be done is kept with its notice</b>, as it was told and to whom it was shown; whoever does it
 *       later has to find it there.
 *   <li><b>A rehearsal tells nobody.</b> With {@code redirectAllTo} mails are really sent, but to that address, those of later
 *       steps, too; the finding is then not marked as told, and nothing is done to the job, because that may only follow a
 *       warning that its owner got. They have no link, because whoever follows one speaks in the owner's name. When it ends,
 *       the ladder begins anew as above.
 *   <li><b>Refused for good</b> is only what the mail server says of this recipient or this letter. A refused password or
 *       sender is the site's fault: it is an error in the log and tried again, or a typing error in the configuration would
 *       use up everybody's one mail.
 *   <li><b>Names are hostile.</b> Users choose job names, and who may create accounts chooses user names. Addresses must
 *       pass a strict test, see {@link io.fairwatch.collector.notice.Addresses}; texts lose control characters and marks
 *       that turn the direction of writing before they are used, and are escaped in HTML.
 *   <li>{@code Auto-Submitted: auto-generated} (RFC 3834) and {@code X-Auto-Response-Suppress} (Exchange) keep vacation
 *       notes from answering. No {@code Precedence: bulk}: it is one letter to one person, and relays may put off bulk.
 *   <li>No connection is kept and commands are not pipelined: mails are few, and one at a time leaves nothing to be
 *       confused about.
 * </ul>
 *
 * <p>Nothing here logs letters or secrets. The mail client logs the whole conversation at debug: leave {@code
 * io.vertx.ext.mail} above that.
 */
@NullMarked
package io.fairwatch.collector.notice;

import org.jspecify.annotations.NullMarked;
