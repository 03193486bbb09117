package io.fairwatch.agent;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaCall;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.List;

/** What may know what. Each rule says why. */
@AnalyzeClasses(packages = "io.fairwatch.agent", importOptions = ImportOption.DoNotIncludeTests.class)
class DependencyTest {
    @ArchTest
    static final ArchRule nativeCallsInProbes = noClasses()
            .that()
            .resideOutsideOfPackage("..agent.probe..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("com.sun.jna..", "oshi..")
            .because("only a probe touches the machine");

    @ArchTest
    static final ArchRule wireStandsAlone = noClasses()
            .that()
            .resideInAPackage("..agent.wire..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "io.fairwatch.agent",
                    "io.fairwatch.agent.probe..",
                    "io.fairwatch.agent.spool..",
                    "io.fairwatch.agent.metrics..",
                    "io.vertx..")
            .because("the collector reads it and nothing else of the agent");

    @ArchTest
    static final ArchRule rootIsTheTop = noClasses()
            .that()
            .resideOutsideOfPackage("io.fairwatch.agent")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("io.fairwatch.agent")
            .because("it holds Main and its configuration");

    @ArchTest
    static final ArchRule noCycles =
            slices().matching("io.fairwatch.agent.(**)").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule noProcessTableByOshi = noClasses()
            .should()
            .callMethodWhere(calls("oshi", "getUser", "getProcesses", "getChildProcesses", "getDescendantProcesses"))
            .because("it reads six files per process, and getUser() runs getent each time");

    @ArchTest
    static final ArchRule noCommands = noClasses()
            .should()
            .dependOnClassesThat()
            .haveFullyQualifiedName("java.lang.ProcessBuilder")
            .orShould()
            .callMethodWhere(calls("java.lang.Runtime", "exec"))
            .because("probes run no external commands");

    private static DescribedPredicate<JavaCall<?>> calls(String owner, String... names) {
        return describe(
                owner + " " + List.of(names),
                call -> call.getTargetOwner().getName().startsWith(owner)
                        && List.of(names).contains(call.getName()));
    }
}
