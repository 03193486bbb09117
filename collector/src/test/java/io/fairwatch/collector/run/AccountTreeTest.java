package io.fairwatch.collector.run;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class AccountTreeTest {
    private static Account account(String name, String parent, String... coordinators) {
        return new Account(
                name,
                Optional.of(parent).filter(above -> !above.isEmpty()),
                "",
                "",
                List.of(coordinators),
                List.of(),
                Limits.NONE);
    }

    private static AccountTree tree(Account... accounts) {
        return new AccountTree(Instant.EPOCH, "lab", List.of(accounts), List.of(), List.of(), List.of());
    }

    private final AccountTree tree = tree(
            account("root", ""),
            account("es", "root", "anna"),
            account("es.shj", "es", "eve"),
            account("es.shj.x", "es.shj"),
            account("cs", "root", "bob"));

    @Test
    @DisplayName("an account's path goes up to root, and what lies below it is found at any depth")
    void path() {
        assertEquals(
                List.of("es.shj.x", "es.shj", "es", "root"),
                tree.above("es.shj.x").stream().map(Account::name).toList());
        assertEquals(Set.of("es", "es.shj", "es.shj.x"), tree.below("es"));
        assertEquals(List.of(), tree.above("nobody"));
        assertEquals(Set.of(), tree.below("nobody"));
    }

    @Test
    @DisplayName("who looks after an account looks after all below it, and after none above")
    void coordinators() {
        assertEquals(Set.of("anna", "eve"), tree.coordinatorsOf("es.shj.x"));
        assertEquals(Set.of("anna"), tree.coordinatorsOf("es"));
        assertEquals(Set.of(), tree.coordinatorsOf("root"));
        assertEquals(Set.of("es", "es.shj", "es.shj.x"), tree.coordinatedBy("anna"));
        assertEquals(Set.of("es.shj", "es.shj.x"), tree.coordinatedBy("eve"));
        assertEquals(Set.of(), tree.coordinatedBy("mallory"));
    }

    @Test
    @DisplayName("a ring of accounts, which Slurm should never tell, ends")
    void ring() {
        AccountTree ring = tree(account("a", "b"), account("b", "a"));
        assertEquals(2, ring.above("a").size());
        assertEquals(Set.of("a", "b"), ring.below("a"));
    }

    @Test
    @DisplayName("a limit of GPUs is that of all types; a limit of one type is none of all, and 0 is a limit")
    void gpus() {
        assertEquals(OptionalLong.of(8), perUser("cpu=48,gres/gpu=8").gpusPerUser());
        assertEquals(OptionalLong.of(48), perUser("cpu=48,gres/gpu=8").cpusPerUser());
        assertEquals(OptionalLong.of(0), perUser("cpu=1,gres/gpu=0").gpusPerUser());
        assertEquals(OptionalLong.empty(), perUser("gres/gpu:a100=2").gpusPerUser());
        assertEquals(OptionalLong.empty(), perUser("").gpusPerUser());
        assertEquals(OptionalLong.empty(), perUser("gres/gpu=many").gpusPerUser());
    }

    private static Limits perUser(String tres) {
        return new Limits(tres, "", "", OptionalInt.empty(), OptionalInt.empty(), Optional.empty());
    }

    @Test
    @DisplayName("a node that Slurm switched off, boots or reboots is excused; one that is down is not")
    void nodes() {
        assertEquals(
                Optional.of("powered_down"), node("idle+cloud+powered_down").offBecause());
        assertEquals(Optional.of("powering_up"), node("mixed+cloud+powering_up").offBecause());
        assertEquals(Optional.of("power_down"), node("idle+power_down").offBecause());
        assertEquals(Optional.empty(), node("idle+cloud").offBecause());
        assertEquals(Optional.empty(), node("down+not_responding").offBecause());
        assertEquals(true, node("down+not_responding").isDown());
        assertEquals(false, node("idle+drain").isDown());
    }

    private static SlurmNode node(String state) {
        return new SlurmNode("n1", state, OptionalInt.empty(), OptionalLong.empty(), OptionalInt.empty(), "");
    }
}
