package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.probe.nvml.Nvml.Xid;
import io.fairwatch.agent.probe.nvml.Nvml.Xids;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Listens for XIDs on a thread of its own, because the driver tells them only to those who wait. The thread lives as
 * long as the session with the driver, and never holds up the end of the process. Thread-safe.
 */
final class XidListener {
    private static final int MOST_WAITING = 1024;

    private final Xids xids;
    private final int waitMillis;
    private final BlockingQueue<Xid> heard = new ArrayBlockingQueue<>(MOST_WAITING);
    private final CountDownLatch enough = new CountDownLatch(1);
    private final Thread thread;

    /**
     * @param wait how long one wait in the driver lasts, which is also how long the end of a session may take
     */
    XidListener(Xids xids, Duration wait) {
        this.xids = xids;
        this.waitMillis = (int) wait.toMillis();
        this.thread = new Thread(this::listen, "xids");
        thread.setDaemon(true);
        thread.start();
    }

    boolean covers(long device) {
        return xids.covers(device);
    }

    /** What was heard since the last call. */
    List<Xid> take() {
        List<Xid> taken = new ArrayList<>();
        heard.drainTo(taken);
        return taken;
    }

    /** Asks the thread to end and gives it the time that it needs for that, unless the driver hangs. */
    boolean end() {
        enough.countDown();
        try {
            thread.join(waitMillis + waitMillis / 4 + 1L);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return hasEnded();
    }

    boolean hasEnded() {
        return !thread.isAlive();
    }

    private void listen() {
        try {
            while (enough.getCount() > 0) {
                try {
                    Optional<Xid> xid = xids.await(waitMillis);
                    // a flood waits in the driver, which drops what it has no room for
                    while (xid.isPresent()
                            && enough.getCount() > 0
                            && !heard.offer(xid.get(), waitMillis, TimeUnit.MILLISECONDS)) {}
                } catch (NvmlException e) {
                    if (e.endsSession()) { // the next reading finds out by itself
                        return;
                    }
                    if (enough.await(waitMillis, TimeUnit.MILLISECONDS)) { // an answer that comes at once comes again
                        return;
                    }
                }
            }
        } catch (InterruptedException expected) { // nobody does that, and ending is all that could be meant
            Thread.currentThread().interrupt();
        } finally {
            xids.close();
        }
    }
}
