package io.fairwatch.collector.slurm;

import io.fairwatch.collector.run.SlurmUser;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Says what Slurm hides from the collector. A plain user may see everything unless {@code PrivateData} says otherwise; then
 * an Operator may. Stateless.
 */
final class Rights {
    private Rights() {}

    /**
     * Which right is missing for what, one sentence each.
     *
     * @param controller how slurmctld is set up
     * @param database how slurmdbd is; empty without
     * @param user as whom the collector asks
     * @param users whom accounting knows, as far as it tells
     */
    static List<String> missing(SlurmConf controller, SlurmConf database, String user, List<SlurmUser> users) {
        boolean mayAll = user.equals("root")
                || user.equals(controller.slurmUser())
                || users.stream().filter(known -> known.name().equals(user)).anyMatch(known -> !known.adminLevel()
                        .equals("None"));
        List<String> missing = new ArrayList<>();
        if (mayAll) {
            return missing;
        }
        String remedy = controller.hasAccounting()
                ? "needed: sacctmgr modify user " + user + " set adminlevel=Operator"
                : "needed: slurm.prefix, to ask as " + controller.slurmUser() + ", for without accounting there are no"
                        + " Operators";
        Set<String> live = controller.hidden();
        if (live.contains("jobs")) {
            missing.add(
                    "Slurm shows " + user + " only its own jobs (PrivateData of slurm.conf has jobs), so nobody else's"
                            + " are watched; " + remedy);
        }
        if (live.contains("nodes")) {
            missing.add("Slurm shows " + user + " no nodes (PrivateData of slurm.conf has nodes); " + remedy);
        }
        Set<String> past = database.hidden();
        if (past.contains("jobs") || past.contains("usage")) {
            missing.add("Accounting shows " + user + " only its own ended jobs (PrivateData of slurmdbd.conf has "
                    + (past.contains("jobs") ? "jobs" : "usage")
                    + "), so how others' ended is known only while squeue remembers them; " + remedy);
        }
        if (past.contains("accounts") || past.contains("users")) {
            missing.add(
                    "Accounting shows " + user + " only its own accounts and users (PrivateData of slurmdbd.conf has "
                            + (past.contains("accounts") ? "accounts" : "users")
                            + "), so coordinators and users without jobs are"
                            + " not known; " + remedy);
        }
        return missing;
    }
}
