package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CgroupPathTest {
    /** A task of a step as seen on Slurm 22.05, cgroup v1, a build for several slurmd on one machine. */
    private static final String TASK_22_05 = """
            9:name=systemd:/
            8:pids:/
            7:blkio:/
            6:freezer:/slurm_nv-ai-04/uid_21001/job_1/step_0
            5:devices:/slurm_nv-ai-04/uid_21001/job_1/step_0/task_0
            4:memory:/slurm_nv-ai-04/uid_21001/job_1/step_0/task_0
            3:cpuset:/
            2:cpuacct:/slurm_nv-ai-04/uid_21001/job_1/step_0/task_0
            1:cpu:/
            0::/
            """;

    /** A slurmstepd on another node of Slurm 22.05, seen from outside its container. */
    private static final String STEPD_IN_JOB = """
            9:name=systemd:/lab/nv-ai-03
            6:freezer:/lab/nv-ai-03/slurm_nv-ai-03/uid_21003/job_4
            5:devices:/lab/nv-ai-03/slurm_nv-ai-03/uid_21003/job_4/step_batch
            4:memory:/process_api/07541f/lab/nv-ai-03/slurm_nv-ai-03/uid_21003/job_4/step_batch
            2:cpuacct:/lab/nv-ai-03
            0::/lab/nv-ai-03
            """;

    /** The slurmstepd of a batch step on the node of the task. */
    private static final String STEPD_22_05 = """
            6:freezer:/
            5:devices:/
            4:memory:/slurm_nv-ai-04/uid_21001/job_1/step_batch
            2:cpuacct:/slurm_nv-ai-04/uid_21001/job_1/step_batch
            0::/
            """;

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            # v1
            4:memory:/slurm/uid_1000/job_4711                                          | job_4711 4711 1000 - - user
            4:memory:/slurm/uid_1000/job_4711/                                         | job_4711 4711 1000 - - user
            6:freezer:/slurm/uid_1000/job_4711/step_batch                              | job_4711 4711 1000 batch - user
            6:freezer:/slurm/uid_1000/job_4711/step_extern                             | job_4711 4711 1000 extern - user
            6:freezer:/slurm/uid_1000/job_4711/step_interactive                        | job_4711 4711 1000 interactive - user
            4:memory:/slurm/uid_1000/job_4711/step_3/task_12                           | job_4711 4711 1000 3 12 user
            4:memory:/slurm/uid_1000/job_4711/step_3/task_special                      | job_4711 4711 1000 3 special user
            4:cpu,cpuacct:/slurm_gpu01/uid_1000/job_4711/step_0/task_0                 | job_4711 4711 1000 0 0 user
            4:cpuset:/slurm/uid_1000/job_4711/step_0                                   | job_4711 4711 1000 0 - user
            # v2, 22.05 to 25.11
            0::/system.slice/slurmstepd.scope/job_7                                    | job_7 7 - - - user
            0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_1                 | job_7 7 - 0 1 user
            0::/system.slice/slurmstepd.scope/job_7/step_extern/user/task_special      | job_7 7 - extern special user
            0::/system.slice/slurmstepd.scope/job_7/step_batch/slurm                   | job_7 7 - batch - slurm
            0::/system.slice/uml-v2_slurmstepd.scope/job_7/step_0/user/task_0          | job_7 7 - 0 0 user
            0::/gpu.slice/slurmstepd.scope/job_7/step_0/user/task_0                    | job_7 7 - 0 0 user
            0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0 (deleted)       | job_7 7 - 0 0 user
            # v2, 26.05
            0::/system.slice/slurmstepd.scope/s5K1KKYAYG5D00/step_0/user/task_0        | s5K1KKYAYG5D00 - - 0 0 user
            0::/system.slice/slurmstepd.scope/s5K1KKYAYG5D00/step_extern/slurm         | s5K1KKYAYG5D00 - - extern - slurm
            0::/system.slice/slurmstepd.scope/s5K1KKYAYG5D00                           | s5K1KKYAYG5D00 - - - - user
            0::/system.slice/slurmstepd.scope/named_otherwise/step_0/user/task_0       | named_otherwise - - 0 0 user
            # something before, something behind
            6:freezer:/slurmlab/n1/slurm_n1/uid_1000/job_4711/step_0                   | job_4711 4711 1000 0 - user
            4:memory:/process_api/94e8/slurmlab/n1/slurm_n1/uid_1/job_4711/step_0/task_0 | job_4711 4711 1 0 0 user
            0::/docker/6ab1/system.slice/slurmstepd.scope/job_7/step_0/user/task_0     | job_7 7 - 0 0 user
            0::/../../job_7/step_0/user/task_0                                         | job_7 7 - 0 0 user
            0::/../job_7                                                               | job_7 7 - - - user
            0::/../s5K1KKYAYG5D00/step_0/user/task_0                                   | s5K1KKYAYG5D00 - - 0 0 user
            0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0/libpod-6ab1.scope/container | job_7 7 - 0 0 user
            0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0/job_8/step_1/slurm | job_7 7 - 0 0 user
            4:memory:/slurm/uid_1000/job_4711/step_0/task_0/slurm/uid_2/job_5/step_0   | job_4711 4711 1000 0 0 user
            # only the freezer knows (Slurm 21)
            13:freezer:/slurm/uid_7319/job_748468/step_0⏎4:memory:/system.slice/slurmd.service⏎0::/ | job_748468 748468 7319 0 - user
            # no freezer at all: only tasks
            6:freezer:/⏎4:memory:/slurm/uid_1000/job_4711/step_0/task_0                | job_4711 4711 1000 0 0 user
            6:freezer:/⏎3:cpuset:/slurm/uid_1000/job_4711/step_0                       | job_4711 4711 1000 0 - user
            # the freezer is right
            4:memory:/slurm/uid_1000/job_1/step_0/task_0⏎6:freezer:/slurm/uid_1000/job_2/step_0 | job_2 2 1000 0 - user
            # hybrid
            4:memory:/slurm/uid_1000/job_1/step_0/task_0⏎6:freezer:/slurm/uid_1000/job_1/step_0⏎0::/user.slice/user-1000.slice/session-3.scope | job_1 1 1000 0 0 user
            """)
    @DisplayName("every path that Slurm makes is read")
    void slurm(String file, String expected) {
        assertEquals(expected, shown(CgroupPath.parse(file.replace('⏎', '\n'))));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0::/",
                "",
                "\n\n",
                "garbage",
                ":::",
                "x:memory:/slurm/uid_1/job_1",
                "0:/slurm/uid_1/job_1",
                "0::/system.slice/slurmstepd.scope",
                "0::/system.slice/slurmstepd.scope/system",
                "0::/system.slice/uml-v2_slurmstepd.scope/slurmd",
                "0::/system.slice/slurmd.service",
                "0::/user.slice/user-1000.slice/session-3.scope",
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/slurmstepd.scope/job_1/step_0",
                "0::/user.slice/user-1000.slice/user@1000.service/job_1/step_0/user/task_0",
                "0::/system.slice/notebook.service/slurm/uid_0/job_1/step_0",
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod6ab1.slice/cri-containerd-6ab1.scope",
                "0::/machine.slice/machine-qemu\\x2d1\\x2dinstance-0000.scope",
                "0::/system.slice/docker-6ab1.scope",
                "0::/system.slice/docker-6ab1.scope/job_1/step_0",
                "4:memory:/slurm/uid_1000",
                "4:memory:/slurm/uid_1000/job_",
                "4:memory:/slurm/uid_1000/job_0",
                "4:memory:/slurm/uid_1000/job_12x",
                "4:memory:/slurm/uid_1000/job_99999999999999999999",
                "4:memory:/slurm/job_12",
                "4:memory:/slurmlab/uid_1000/job_12",
                "0::/systemxxxxxxxx",
                "0::/system.slice/slurmstepd.scope/s5K1KKYAYG5D0U",
            })
    @DisplayName("what is not in a job is in none")
    void notSlurm(String file) {
        assertEquals(Optional.empty(), CgroupPath.parse(file));
    }

    @Test
    @DisplayName("a task is found whatever the order of the lines and whatever is between them")
    void shuffled() {
        long seed = 20261120;
        Random random = new Random(seed);
        List<String> lines = new ArrayList<>(TASK_22_05.lines().toList());
        lines.add("garbage");
        lines.add("77");
        for (int i = 0; i < 200; i++) {
            Collections.shuffle(lines, random);
            assertEquals(
                    "job_1 1 21001 0 0 user",
                    shown(CgroupPath.parse(String.join("\n", lines))),
                    "seed " + seed + " round " + i);
        }
    }

    @Test
    @DisplayName("slurmstepd sits in the step's memory cgroup but outside the freezer's, and is not the user's")
    void slurmstepd() {
        assertEquals("job_1 1 21001 batch - slurm", shown(CgroupPath.parse(STEPD_22_05)));
        assertEquals("job_4 4 21003 batch - slurm", shown(CgroupPath.parse(STEPD_IN_JOB)));
    }

    @Test
    @DisplayName("a file cut at any byte is read as the same job, as one that its cut digits name, or as none")
    void cut() {
        for (int length = 0; length < TASK_22_05.length(); length++) {
            String shown = shown(CgroupPath.parse(TASK_22_05.substring(0, length)));
            assertTrue(shown.equals("none") || shown.startsWith("job_1 1 21001"), shown);
        }
    }

    private static String shown(Optional<CgroupPath> path) {
        return path.map(p -> p.directory() + " "
                        + (p.jobId().isPresent() ? p.jobId().getAsLong() : "-") + " "
                        + (p.uid().isPresent() ? p.uid().getAsInt() : "-") + " "
                        + p.step().orElse("-") + " "
                        + p.task().orElse("-") + " "
                        + (p.slurmsOwn() ? "slurm" : "user"))
                .orElse("none");
    }
}
