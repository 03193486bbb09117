package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.Account;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.Association;
import io.fairwatch.collector.run.Limits;
import io.fairwatch.collector.run.Qos;
import io.fairwatch.collector.run.SlurmUser;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class SacctmgrParserTest {
    private static final Instant AT = Instant.ofEpochSecond(1796011070);

    private static SacctmgrParser.Accounts recorded() throws SlurmException {
        return SacctmgrParser.parse(
                new SacctmgrParser.Printed(
                        Samples.read("22.05/sacctmgr-association.txt"),
                        Samples.read("22.05/sacctmgr-account.txt"),
                        Samples.read("22.05/sacctmgr-user.txt"),
                        Samples.read("22.05/sacctmgr-qos.txt")),
                "lab",
                AT);
    }

    private static SacctmgrParser.Accounts parse(String associations, String accounts, String qos)
            throws SlurmException {
        return SacctmgrParser.parse(
                new SacctmgrParser.Printed(bytes(associations), bytes(accounts), new byte[0], bytes(qos)), "lab", AT);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    @DisplayName("recorded 22.05: the tree of accounts, with who looks after which")
    void tree() throws SlurmException {
        assertEquals(List.of(), recorded().problems());
        AccountTree tree = recorded().tree();
        assertEquals(AT, tree.at());
        assertEquals(
                List.of("es.shj", "es", "root"),
                tree.above("es.shj").stream().map(Account::name).toList());
        assertEquals(Set.of("anna@es.aau.dk"), tree.coordinatorsOf("es.shj"));
        assertEquals(Set.of("es", "es.shj"), tree.coordinatedBy("anna@es.aau.dk"));
        assertEquals("department", tree.account("es").orElseThrow().description());
        assertEquals("aau", tree.account("es").orElseThrow().organization());
    }

    @Test
    @DisplayName("recorded 22.05: associations with their QoS, users with their level")
    void users() throws SlurmException {
        AccountTree tree = recorded().tree();
        assertEquals(
                List.of("cs", "es"),
                tree.of("bob").stream().map(Association::account).toList());
        Association shj = tree.of("shj01@es.aau.dk").get(0);
        assertEquals(Optional.of("allgpus"), shj.defaultQos());
        assertEquals(8, shj.qos().size());
        assertEquals(OptionalLong.of(1), shj.fairshare());
        assertEquals(Limits.NONE, shj.limits());
        assertEquals(
                new SlurmUser("gpuwatch", Optional.of("cs"), "Operator"),
                tree.user("gpuwatch").orElseThrow());
    }

    @Test
    @DisplayName("recorded 22.05: what a QoS allows; one without limits allows everything")
    void qos() throws SlurmException {
        AccountTree tree = recorded().tree();
        assertEquals(
                new Qos(
                        "normal",
                        100,
                        new Limits(
                                "cpu=20,gres/gpu=1",
                                "",
                                "",
                                OptionalInt.empty(),
                                OptionalInt.empty(),
                                Optional.of(Duration.ofDays(2)))),
                tree.qos("normal").orElseThrow());
        assertEquals(OptionalLong.of(0), tree.qos("1cpu").orElseThrow().limits().gpusPerUser());
        assertEquals(Limits.NONE, tree.qos("admintest").orElseThrow().limits());
        assertEquals(8, tree.qos().size());
    }

    @Test
    @DisplayName("limits of accounts and users, a share of the parent, and other clusters of the same slurmdbd")
    void limits() throws SlurmException {
        AccountTree tree = parse("""
                lab|root|||||normal|1|||||
                lab|es|||root|normal|normal,short|parent|gres/gpu=4|gres/gpu=16|10|20|7-00:00:00
                lab|es|eve|batch||short|normal|parent|||2||UNLIMITED
                other|es|mallory|||normal|normal|1|||||
                """, "es|||with|bars\n", "").tree();
        Account es = tree.account("es").orElseThrow();
        assertEquals(
                new Limits(
                        "",
                        "gres/gpu=4",
                        "gres/gpu=16",
                        OptionalInt.of(10),
                        OptionalInt.of(20),
                        Optional.of(Duration.ofDays(7))),
                es.limits());
        assertEquals(OptionalLong.of(4), es.limits().gpusPerJob());
        assertEquals(OptionalLong.of(16), es.limits().gpusOfGroup());
        assertEquals("with|bars", es.description());
        assertEquals(
                List.of("eve"),
                tree.associations().stream().map(Association::user).toList());
        Association eve = tree.of("eve").get(0);
        assertEquals(Optional.of("batch"), eve.partition());
        assertEquals(OptionalLong.empty(), eve.fairshare());
        assertEquals(OptionalInt.of(2), eve.limits().jobs());
        assertEquals(Optional.empty(), eve.limits().wall());
    }

    @Test
    @DisplayName("rows that do not fit are left out and told; without any account of the cluster it is no answer")
    void malformed() throws SlurmException {
        SacctmgrParser.Accounts answer =
                parse("lab|root|||||normal|1|||||\nlab|a|b\u0007|c\n", "", "normal|100\n\nshort|x|||||||\n");
        assertEquals(1, answer.tree().accounts().size());
        assertEquals(2 + 1, answer.problems().size(), answer.problems().toString());
        assertTrue(
                answer.problems().get(0).contains("lab|a|b?|c has 4 columns"),
                answer.problems().get(0));
        assertThrows(SlurmException.class, () -> parse("", "", ""));
        assertThrows(SlurmException.class, () -> parse("other|root|||||normal|1|||||\n", "", ""));
    }
}
