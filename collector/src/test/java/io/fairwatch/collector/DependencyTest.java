package io.fairwatch.collector;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** What may know what. Each rule says why. */
@AnalyzeClasses(packages = "io.fairwatch.collector", importOptions = ImportOption.DoNotIncludeTests.class)
class DependencyTest {
    @ArchTest
    static final ArchRule databasesInStore = noClasses()
            .that()
            .resideOutsideOfPackage("..collector.store..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("java.sql..", "javax.sql..", "org.duckdb..")
            .because("another store must be able to take its place");

    @ArchTest
    static final ArchRule mailInNotice = noClasses()
            .that()
            .resideOutsideOfPackage("..collector.notice..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("io.vertx.ext.mail..")
            .because("whoever sends a mail keeps a notice of it");

    @ArchTest
    static final ArchRule commandsInSlurm = noClasses()
            .that()
            .resideOutsideOfPackage("..collector.slurm..")
            .should()
            .dependOnClassesThat()
            .haveFullyQualifiedName("java.lang.ProcessBuilder")
            .orShould()
            .accessTargetWhere(access("java.lang.Runtime", "exec"))
            .because("Slurm's commands are all that the collector runs");

    @ArchTest
    static final ArchRule clockInMain = noClasses()
            .that()
            .doNotHaveFullyQualifiedName("io.fairwatch.collector.Main")
            .should()
            .accessTargetWhere(access("java.time.Instant", "now"))
            .orShould()
            .accessTargetWhere(access("java.time.LocalDate", "now"))
            .orShould()
            .accessTargetWhere(access("java.time.LocalDateTime", "now"))
            .orShould()
            .accessTargetWhere(access("java.time.ZonedDateTime", "now"))
            .orShould()
            .accessTargetWhere(access("java.time.Clock", "system"))
            .orShould()
            .accessTargetWhere(access("java.time.InstantSource", "system"))
            .orShould()
            .accessTargetWhere(access("java.lang.System", "currentTimeMillis"))
            .because("time is an argument, so that tests can say what it is");

    @ArchTest
    static final ArchRule ofTheAgentOnlyWireAndConfig = noClasses()
            .should()
            .dependOnClassesThat(describe(
                    "belong to the agent, other than its wire and config",
                    type -> (type.getPackageName() + ".").startsWith("io.fairwatch.agent.")
                            && !within(type, "io.fairwatch.agent.wire")
                            && !within(type, "io.fairwatch.agent.config")))
            .because("the program's jar holds nothing else of it");

    @ArchTest
    static final ArchRule configInMain = noClasses()
            .that()
            .resideOutsideOfPackage("io.fairwatch.collector")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("io.fairwatch.agent.config..")
            .because("parts have settings of their own and know no file");

    @ArchTest
    static final ArchRule rootIsTheTop = noClasses()
            .that()
            .resideOutsideOfPackage("io.fairwatch.collector")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("io.fairwatch.collector")
            .because("it holds Main and its configuration");

    @ArchTest
    static final ArchRule rulesAreForTheJudge = noClasses()
            .that()
            .resideOutsideOfPackages("io.fairwatch.collector", "..collector.judge..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("io.fairwatch.rules..")
            .because("everybody else reads findings");

    @ArchTest
    static final ArchRule readersReadOnly = noClasses()
            .that()
            .resideInAnyPackage("..collector.lookup..", "..collector.web..", "..collector.report..")
            .should()
            .accessTargetWhere(describe(
                    "write to the store",
                    access -> access.getTargetOwner().getName().equals("io.fairwatch.collector.store.Store")
                            && (access.getName().startsWith("save")
                                    || access.getName().startsWith("append"))))
            .because("a question changes nothing");

    @ArchTest
    static final ArchRule noCycles =
            slices().matching("io.fairwatch.collector.(**)").should().beFreeOfCycles();

    private static boolean within(JavaClass type, String name) {
        return (type.getPackageName() + ".").startsWith(name + ".");
    }

    private static DescribedPredicate<JavaAccess<?>> access(String owner, String begin) {
        return describe(
                owner + "." + begin,
                access -> access.getTargetOwner().getName().equals(owner)
                        && access.getName().startsWith(begin));
    }
}
