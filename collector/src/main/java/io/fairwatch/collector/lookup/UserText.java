package io.fairwatch.collector.lookup;

import io.fairwatch.collector.lookup.HoldLookup.IdleGpu;
import io.fairwatch.collector.lookup.UserLookup.UserView;
import io.fairwatch.collector.text.Plain;
import java.time.Duration;
import java.time.ZoneId;
import java.util.Optional;

/** Renders what one user has. Immutable. */
public final class UserText {
    private static final int LONGEST_NAME = 40;

    private final ZoneId zone;

    public UserText(ZoneId zone) {
        this.zone = zone;
    }

    /** Numbers, jobs, idle GPUs, findings. */
    public String page(UserView view) {
        StringBuilder page = new StringBuilder();
        view.simulated()
                .ifPresent(sentence ->
                        page.append("** ").append(Plain.line(sentence, 200)).append(" **\n"));
        Holds holds = view.holds();
        page.append(Plain.line(holds.name(), LONGEST_NAME))
                .append(" holds ")
                .append(count(holds.gpus(), "GPU"))
                .append(holds.gpusIdle() == 0 ? "" : " (" + holds.gpusIdle() + " idle)")
                .append(" and ")
                .append(count(holds.cpus(), "CPU"))
                .append(" in ")
                .append(count(holds.running(), "running job"))
                .append(holds.waiting() == 0 ? "" : "; " + count(holds.waiting(), "job") + " waiting")
                .append(".\n");
        holds.standing().ifPresent(standing -> page.append(standing(standing)));
        page.append('\n');
        page.append(new JobListText(zone)
                .page(new Listing<>(view.at(), view.slurmAsOf(), Optional.empty(), view.jobs(), Optional.empty())));
        if (!view.idle().isEmpty()) {
            page.append("\nIdle:\n");
            view.idle().forEach(gpu -> page.append("  ").append(idle(gpu, view)).append('\n'));
        }
        view.findings()
                .forEach(finding ->
                        page.append("\nFinding ").append(finding(finding)).append('\n'));
        return page.toString();
    }

    private static String standing(Standing standing) {
        String most = standing.gpusAtMost().isPresent()
                ? "; at most " + standing.gpusAtMost().getAsLong() + " GPUs at a time"
                : "";
        return "May charge " + Plain.line(String.join(", ", standing.accounts()), 200)
                + standing.account()
                        .map(account -> " (" + Plain.line(account, LONGEST_NAME) + " if not said)")
                        .orElse("")
                + (standing.qos().isEmpty() ? "" : "; QoS " + Plain.line(String.join(", ", standing.qos()), 200)) + most
                + (standing.coordinators().isEmpty()
                        ? ""
                        : "; coordinated by " + Plain.line(String.join(", ", standing.coordinators()), 200))
                + ".\n";
    }

    private static String count(int number, String what) {
        return number + " " + what + (number == 1 ? "" : "s");
    }

    private static String idle(IdleGpu gpu, UserView view) {
        Duration idle = Duration.between(gpu.gpu().idleSince().orElse(view.at()), view.at());
        return HoldText.gpuName(gpu.gpu()) + " of job " + gpu.run().displayId() + " for "
                + (gpu.gpu().idleLonger() ? "over " : "") + Plain.duration(idle)
                + gpu.told()
                        .map(at -> ", told " + Plain.duration(Duration.between(at, view.at())) + " ago")
                        .orElse("");
    }

    private String finding(FindingLine finding) {
        return finding.rule()
                + (finding.jobId().isPresent() ? " of job " + finding.jobId().getAsLong() : "") + " since "
                + Plain.minute(finding.since(), zone) + ": " + Plain.line(finding.summary(), 500) + " "
                + Plain.line(finding.fix(), 500);
    }
}
