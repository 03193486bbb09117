package io.fairwatch.collector.enforce;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.slurm.SlurmActions;
import java.time.InstantSource;

/** Deeds by Slurm's own commands. Thread-safe. */
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
    public Outcome take(Deed deed, Run run) throws InterruptedException {
        SlurmActions.Target target = SlurmActions.Target.of(run);
        SlurmActions.Result result =
                switch (deed) {
                    case CANCEL -> slurm.cancel(target);
                    case HOLD -> slurm.hold(target);
                    case REQUEUE -> slurm.requeue(target, false);
                    case SHORTEN -> slurm.shorten(target, settings.limit(run, clock.instant()));
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
