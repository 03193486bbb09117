package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.SlurmUser;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class RightsTest {
    private static final String HEAD =
            "Configuration data as of 2026-11-30T03:16:47\nSlurmUser               = slurm(64030)\n";

    private static SlurmConf conf(String lines) {
        return SlurmConf.parse(HEAD + lines);
    }

    private static List<String> missing(String hidden, String hiddenByDatabase, String user, String level) {
        return Rights.missing(
                conf("PrivateData             = " + hidden + "\n"),
                conf("PrivateData = none\n\nSlurmDBD configuration:\nPrivateData = " + hiddenByDatabase + "\n"),
                user,
                List.of(new SlurmUser("gpuwatch", Optional.of("cs"), level)));
    }

    @Test
    @DisplayName("a plain user lacks nothing where Slurm hides nothing")
    void nothingHidden() {
        assertEquals(List.of(), missing("none", "none", "gpuwatch", "None"));
        assertEquals(List.of(), missing("(null)", "none", "gpuwatch", "None"));
        assertEquals(List.of(), missing("reservations,events", "events", "gpuwatch", "None"));
    }

    @Test
    @DisplayName("what is hidden is told with what it costs and what would help; slurmdbd hides on its own")
    void hidden() {
        List<String> all = missing("jobs,nodes", "jobs,accounts,users", "gpuwatch", "None");
        assertEquals(4, all.size(), all.toString());
        assertTrue(all.stream().allMatch(s -> s.endsWith("sacctmgr modify user gpuwatch set adminlevel=Operator")));
        assertTrue(missing("none", "usage", "gpuwatch", "None").get(0).contains("slurmdbd.conf has usage"));
    }

    @Test
    @DisplayName("an Operator, an Administrator, root and SlurmUser see everything")
    void mayAll() {
        assertEquals(List.of(), missing("jobs", "jobs", "gpuwatch", "Operator"));
        assertEquals(List.of(), missing("jobs", "jobs", "gpuwatch", "Administrator"));
        assertEquals(List.of(), missing("jobs", "jobs", "root", "None"));
        assertEquals(List.of(), missing("jobs", "jobs", "slurm", "None"));
        assertEquals(2, missing("jobs", "jobs", "nobody", "Operator").size());
    }

    @Test
    @DisplayName("without accounting nobody can be made Operator, so another way is told")
    void withoutAccounting() {
        List<String> missing = Rights.missing(
                conf("AccountingStorageType = (null)\nPrivateData = jobs\n"),
                new SlurmConf(java.util.Map.of()),
                "gpuwatch",
                List.of());
        assertTrue(missing.get(0).contains("slurm.prefix, to ask as slurm"), missing.get(0));
    }

    @Test
    @DisplayName("the configuration tells name, accounting and whether it counts GPUs, in old and new words")
    void configuration() {
        SlurmConf conf = conf("""
                ClusterName             = lab
                AccountingStorageTRES   = cpu,mem,gres/gpu,gres/gpu:t4
                AccountingStorageType   = accounting_storage/slurmdbd
                """);
        assertEquals(Optional.of("lab"), conf.clusterName());
        assertTrue(conf.hasAccounting());
        assertTrue(conf.countsGpus());
        assertEquals(Set.of(), conf.hidden());
        assertFalse(conf("AccountingStorageType = accounting_storage/none\n").hasAccounting());
        assertFalse(conf("AccountingStorageType = (null)\n").hasAccounting());
        assertFalse(conf("AccountingStorageTRES = cpu,mem,node\n").countsGpus());
        assertTrue(conf("").countsGpus());
        assertEquals(Optional.empty(), conf("").clusterName());
    }
}
