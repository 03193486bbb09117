package io.fairwatch.collector.enforce;

import io.fairwatch.collector.slurm.SlurmActions;
import java.time.InstantSource;

/** Deeds by Slurm's own commands, or by slurmrestd. Thread-safe. */
public final class SlurmDeeds implements Deeds {
    private final SlurmActions slurm;
    private final Enforcer.Settings settings;
    private final InstantSource clock;

    public SlurmDeeds(SlurmActions slurm, Enforcer.Settings settings, InstantSource clock) {
        this.slurm = slurm;
        this.settings = settings;
        this.clock = clock;
    }

    @Override
    public Outcome take(Deed deed, Job job) throws InterruptedException {
        SlurmActions.Target target = job instanceof Job.Running running
                ? SlurmActions.Target.of(running.run())
                : SlurmActions.Target.of(((Job.Waiting) job).job());
        SlurmActions.Result result =
                switch (deed) {
                    case CANCEL -> slurm.cancel(target);
                    case HOLD -> slurm.hold(target);
                    case REQUEUE -> slurm.requeue(target, false);
                    case SHORTEN -> slurm.shorten(target, settings.limit(job, clock.instant()));
                    case LOWER_QOS -> slurm.changeQos(target, settings.lowQos().orElseThrow());
                };
        if (result instanceof SlurmActions.Result.Done done) {
            return new Outcome.Done(done.detail());
        }
        return result instanceof SlurmActions.Result.Refused refused
                ? new Outcome.Refused(refused.reason())
                : new Outcome.Failed(((SlurmActions.Result.Failed) result).reason());
    }
}
