package io.fairwatch.rules;

import dev.cel.bundle.Cel;
import dev.cel.bundle.CelBuilder;
import dev.cel.bundle.CelFactory;
import dev.cel.common.CelAbstractSyntaxTree;
import dev.cel.common.CelErrorCode;
import dev.cel.common.CelIssue;
import dev.cel.common.CelOptions;
import dev.cel.common.CelValidationException;
import dev.cel.common.types.CelType;
import dev.cel.common.types.ListType;
import dev.cel.common.types.SimpleType;
import dev.cel.common.types.StructTypeReference;
import dev.cel.parser.CelStandardMacro;
import dev.cel.runtime.CelAttribute;
import dev.cel.runtime.CelEvaluationException;
import dev.cel.runtime.CelUnknownSet;
import dev.cel.runtime.Program;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/** A compiled CEL expression. Immutable and thread-safe. */
final class Expression {
    /** Bounds what one expression may cost: it cannot loop except over lists, and not longer than this in all. */
    private static final CelOptions OPTIONS = CelOptions.current()
            .enableUnknownTracking(true)
            .enableHeterogeneousNumericComparisons(true)
            .maxExpressionCodePointSize(10_000)
            .maxParseRecursionDepth(50)
            .maxRegexProgramSize(1_000)
            .comprehensionMaxIterations(100_000)
            .build();

    private static final Answer TRUE = new Answer.Value(true);
    private static final Answer FALSE = new Answer.Value(false);

    private final Program program;
    private final Optional<Shortcut> shortcut;

    private Expression(Program program, Optional<Shortcut> shortcut) {
        this.program = program;
        this.shortcut = shortcut;
    }

    /** What an expression says. */
    sealed interface Answer {
        /** It has this value. */
        record Value(Object value) implements Answer {}

        /** It depends on these facts, which are absent. */
        record Missing(List<String> facts) implements Answer {}

        /** It cannot be computed. */
        record Failed(String why) implements Answer {}
    }

    /** Why an expression cannot be compiled. */
    static final class ExpressionException extends Exception {
        private final int line;

        private ExpressionException(String message, int line) {
            super(message);
            this.line = line;
        }

        /** Line within the expression, from 1. */
        int line() {
            return line;
        }
    }

    /** Compiles the expressions of one rule. */
    static final class Compiler {
        private final Words words;
        private final TextFunctions functions;
        private final Cel first;
        private final Cel perMember;
        private final Cel perSubject;

        /** Makes a compiler for a rule of that scope, whose {@code select} is asked of members of that list, with
         * parameters of these types, and texts in that language. */
        Compiler(Words words, Words.Members each, Map<String, CelType> parameters, Language language) {
            this.words = words;
            functions = new TextFunctions(language);
            first = common(words, parameters, functions).build();
            perMember = common(words, parameters, functions)
                    .addVar(each.thing().variable(), each.thing().reference())
                    .build();
            CelBuilder all = common(words, parameters, functions)
                    .addVar("selected", ListType.create(each.thing().reference()))
                    .addVar("coverage", SimpleType.DOUBLE);
            words.lists()
                    .forEach(members -> all.addVar(
                            members.plural(), ListType.create(members.thing().reference())));
            perSubject = all.build();
        }

        Language language() {
            return functions.language();
        }

        /** Compiles something that is asked before anything is known of the parts. */
        Expression first(String source, List<CelType> wanted) throws ExpressionException {
            return compile(first, source, wanted);
        }

        /** Compiles something that is asked once per member. */
        Expression perMember(String source, List<CelType> wanted) throws ExpressionException {
            return compile(perMember, source, wanted);
        }

        /** Compiles something that is asked once per subject. */
        Expression perSubject(String source, List<CelType> wanted) throws ExpressionException {
            return compile(perSubject, source, wanted);
        }

        private static CelBuilder common(Words words, Map<String, CelType> parameters, TextFunctions functions) {
            CelBuilder builder = CelFactory.plannerCelBuilder()
                    .setOptions(OPTIONS)
                    .setStandardMacros(CelStandardMacro.STANDARD_MACROS)
                    .setTypeProvider(Vocabulary.types(parameters))
                    .addVar(words.subject().variable(), words.subject().reference())
                    .addVar("params", StructTypeReference.create("Params"))
                    .addVar("window_seconds", SimpleType.INT);
            if (words.queue()) {
                builder.addVar("queue", Vocabulary.QUEUE.reference());
            }
            functions.addTo(builder);
            return builder;
        }

        private Expression compile(Cel cel, String source, List<CelType> wanted) throws ExpressionException {
            try {
                CelAbstractSyntaxTree tree = cel.compile(source).getAst();
                if (!wanted.contains(tree.getResultType())) {
                    throw new ExpressionException(
                            "the expression is of type " + tree.getResultType().name(), 1);
                }
                return new Expression(cel.createProgram(tree), Shortcut.of(tree, words, functions));
            } catch (CelValidationException e) {
                CelIssue first = e.getErrors().get(0);
                throw new ExpressionException(
                        first.getMessage(), first.getSourceLocation().getLine());
            } catch (CelEvaluationException e) {
                throw new ExpressionException(String.valueOf(e.getMessage()), 1);
            }
        }
    }

    /** Computes it. Never throws: whatever goes wrong is an answer. */
    Answer answer(Scene scene) {
        if (shortcut.isPresent()) {
            Object value = shortcut.get().of(scene);
            if (value instanceof Shortcut.Absent absent) {
                return new Answer.Missing(absent.facts());
            }
            if (value != Shortcut.GIVE_UP) {
                return value instanceof Boolean yes ? (yes ? TRUE : FALSE) : new Answer.Value(value);
            }
        }
        return answerByCel(scene);
    }

    /** Computes it by CEL's runtime alone. */
    Answer answerByCel(Scene scene) {
        try {
            Object value = program.eval(scene);
            if (value instanceof CelUnknownSet unknown) {
                TreeSet<String> facts = new TreeSet<>();
                for (CelAttribute attribute : unknown.attributes()) {
                    facts.add(attribute.toString());
                }
                return new Answer.Missing(new ArrayList<>(facts));
            }
            return new Answer.Value(value);
        } catch (CelEvaluationException | RuntimeException e) {
            return new Answer.Failed(reason(e));
        }
    }

    /** CEL's sentence; whole also where the JIT throws its ready-made exception without words for a division by zero. */
    private static String reason(Exception failure) {
        String said = String.valueOf(failure.getMessage()).strip();
        boolean division =
                failure instanceof CelEvaluationException cel && cel.getErrorCode() == CelErrorCode.DIVIDE_BY_ZERO;
        return division && !said.endsWith("zero") ? said + " / by zero" : said;
    }

    /** What it says without CEL's runtime, to be held against what CEL says; empty: nothing. */
    Optional<Object> direct(Scene scene) {
        return shortcut.map(known -> known.of(scene)).filter(value -> value != Shortcut.GIVE_UP);
    }
}
