package io.fairwatch.rules;

import dev.cel.common.CelAbstractSyntaxTree;
import dev.cel.common.ast.CelConstant;
import dev.cel.common.ast.CelExpr;
import dev.cel.common.ast.CelExpr.CelComprehension;
import dev.cel.common.types.CelType;
import dev.cel.common.types.StructTypeReference;
import io.fairwatch.rules.TextFunctions.Declared;
import io.fairwatch.rules.Vocabulary.Fact;
import io.fairwatch.rules.Vocabulary.Thing;
import io.fairwatch.rules.Vocabulary.View;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/** A checked CEL expression computed directly, where it is made of plain things: facts, parameters, numbers, comparisons,
 * logic, and the macros over lists. CEL's own runtime takes microseconds for a few comparisons, and a cycle asks millions.
 *
 * <p>It never says anything that CEL would not: where it meets an error, a thing that it does not know, or an absent fact
 * within a list, it gives up, and CEL is asked. Tests hold both against each other, for every expression that ships.
 * Immutable and thread-safe. */
final class Shortcut {
    /** CEL must say. */
    static final Object GIVE_UP = new Object();

    /** CEL stops at twice as many steps over lists, counting at most twice as many as are counted here. */
    private static final int MOST_STEPS = 50_000;

    private final Node root;
    private final int depth;

    private Shortcut(Node root, int depth) {
        this.root = root;
        this.depth = depth;
    }

    /** The value depends on facts that are absent.
     *
     * @param facts their names, in order */
    record Absent(List<String> facts) {
        Absent {
            facts = List.copyOf(facts);
        }

        private static Absent both(Absent one, Absent other) {
            if (one.facts.equals(other.facts)) {
                return one;
            }
            TreeSet<String> all = new TreeSet<>(one.facts);
            all.addAll(other.facts);
            return new Absent(new ArrayList<>(all));
        }
    }

    /** One part of an expression. */
    @FunctionalInterface
    private interface Node {
        /** Its value as CEL has it, {@link Absent}, or {@link #GIVE_UP}. */
        Object of(Run run);
    }

    /** One evaluation. Confined to one thread. */
    private static final class Run {
        private final Scene scene;
        private final Object[] locals;
        private int steps;

        private Run(Scene scene, int depth) {
            this.scene = scene;
            this.locals = new Object[depth];
        }
    }

    /** Its value as CEL has it, {@link Absent}, or {@link #GIVE_UP}. Never throws. */
    Object of(Scene scene) {
        try {
            return root.of(new Run(scene, depth));
        } catch (RuntimeException e) {
            return GIVE_UP; // CEL says what is wrong
        }
    }

    /** The shortcut for an expression; empty if some of it is not plain. */
    static Optional<Shortcut> of(CelAbstractSyntaxTree tree, Words words, TextFunctions functions) {
        Builder builder = new Builder(tree, words, functions);
        return builder.node(tree.getExpr(), List.of()).map(root -> new Shortcut(root, builder.depth));
    }

    /** Translates one expression. Confined to one thread. */
    private static final class Builder {
        private final CelAbstractSyntaxTree tree;
        private final Words words;
        private final TextFunctions functions;
        private int depth;

        private Builder(CelAbstractSyntaxTree tree, Words words, TextFunctions functions) {
            this.tree = tree;
            this.words = words;
            this.functions = functions;
        }

        /** @param locals names of the variables of macros around it, the innermost last */
        private Optional<Node> node(CelExpr expression, List<String> locals) {
            return switch (expression.getKind()) {
                case CONSTANT -> constant(expression.constant());
                case IDENT -> variable(expression.ident().name(), locals);
                case SELECT -> fact(expression, locals);
                case CALL -> call(expression, locals);
                case COMPREHENSION -> macro(expression.comprehension(), locals);
                case LIST -> list(expression, locals);
                default -> Optional.empty();
            };
        }

        private static Optional<Node> constant(CelConstant constant) {
            return switch (constant.getKind()) {
                case BOOLEAN_VALUE -> value(constant.booleanValue());
                case INT64_VALUE -> value(constant.int64Value());
                case DOUBLE_VALUE -> value(constant.doubleValue());
                case STRING_VALUE -> value(constant.stringValue());
                default -> Optional.empty();
            };
        }

        private static Optional<Node> value(Object value) {
            return Optional.of(run -> value);
        }

        private Optional<Node> variable(String name, List<String> locals) {
            int local = locals.lastIndexOf(name);
            if (local >= 0) {
                return Optional.of(run -> run.locals[local]);
            }
            if (name.equals(words.subject().variable())) {
                return Optional.of(run -> run.scene.subject());
            }
            for (Words.Members members : words.lists()) {
                if (name.equals(members.plural())) {
                    return Optional.of(run -> run.scene.list(name));
                }
                if (name.equals(members.thing().variable())) {
                    return Optional.of(
                            run -> run.scene.member().<Object>map(view -> view).orElse(GIVE_UP));
                }
            }
            return switch (name) {
                case "queue" -> Optional.of(run -> run.scene.queue());
                case "selected" -> Optional.of(run -> run.scene.selected());
                case "coverage" -> Optional.of(run -> run.scene.coverage());
                case "window_seconds" -> Optional.of(run -> run.scene.windowSeconds());
                default -> Optional.empty();
            };
        }

        private Optional<Node> fact(CelExpr expression, List<String> locals) {
            CelExpr operand = expression.select().operand();
            String field = expression.select().field();
            boolean test = expression.select().testOnly();
            if (!test
                    && operand.getKind() == CelExpr.ExprKind.Kind.IDENT
                    && operand.ident().name().equals("params")
                    && !locals.contains("params")) {
                return Optional.of(run -> run.scene.parameter(field));
            }
            Optional<Fact> fact = thing(tree.getTypeOrThrow(operand.id()))
                    .flatMap(thing -> Optional.ofNullable(thing.facts().get(field)));
            if (fact.isEmpty()) {
                return Optional.empty();
            }
            int number = fact.get().number();
            return node(operand, locals).map(whose -> run -> {
                if (!(whose.of(run) instanceof View view)) {
                    return GIVE_UP;
                }
                return test ? (Object) view.has(number) : view.at(number);
            });
        }

        private static Optional<Thing> thing(CelType type) {
            return Vocabulary.THINGS.stream()
                    .filter(thing ->
                            StructTypeReference.create(thing.type().name()).equals(type)
                                    || thing.type().equals(type))
                    .findFirst();
        }

        private Optional<Node> list(CelExpr expression, List<String> locals) {
            Optional<List<Node>> parts = nodes(expression.list().elements(), locals);
            return parts.map(nodes -> run -> {
                List<Object> values = new ArrayList<>(nodes.size());
                for (Node node : nodes) {
                    Object value = node.of(run);
                    if (value == GIVE_UP || value instanceof Absent) {
                        return GIVE_UP;
                    }
                    values.add(value);
                }
                return values;
            });
        }

        private Optional<List<Node>> nodes(List<CelExpr> expressions, List<String> locals) {
            List<Node> nodes = new ArrayList<>();
            for (CelExpr expression : expressions) {
                Optional<Node> node = node(expression, locals);
                if (node.isEmpty()) {
                    return Optional.empty();
                }
                nodes.add(node.get());
            }
            return Optional.of(nodes);
        }

        private Optional<Node> call(CelExpr expression, List<String> locals) {
            List<CelExpr> expressions = new ArrayList<>();
            expression.call().target().ifPresent(expressions::add);
            expressions.addAll(expression.call().args());
            Optional<List<Node>> known = nodes(expressions, locals);
            if (known.isEmpty()) {
                return Optional.empty();
            }
            List<Node> of = known.get();
            String name = expression.call().function();
            return switch (name) {
                case "_&&_" -> Optional.of(run -> logic(of.get(0), of.get(1), run, false));
                case "_||_" -> Optional.of(run -> logic(of.get(0), of.get(1), run, true));
                case "_?_:_" ->
                    Optional.of(run -> {
                        Object first = of.get(0).of(run);
                        if (first instanceof Boolean yes) {
                            return of.get(yes ? 1 : 2).of(run);
                        }
                        return first instanceof Absent ? first : GIVE_UP;
                    });
                case "!_" -> unary(of, value -> value instanceof Boolean yes ? (Object) !yes : GIVE_UP);
                case "double" ->
                    unary(
                            of,
                            value -> value instanceof Long number
                                    ? (Object) (double) number
                                    : value instanceof Double ? value : GIVE_UP);
                case "string" ->
                    unary(
                            of,
                            value -> value instanceof Long number
                                    ? Long.toString(number)
                                    : value instanceof String ? value : GIVE_UP);
                case "size" ->
                    unary(of, value -> value instanceof List<?> list ? (Object) (long) list.size() : GIVE_UP);
                default -> operator(name, of);
            };
        }

        /** An operator between two values, or a function of {@link TextFunctions}. */
        private Optional<Node> operator(String name, List<Node> of) {
            Optional<Binary> binary = binary(name);
            if (binary.isPresent() && of.size() == 2) {
                Binary both = binary.get();
                Node left = of.get(0);
                Node right = of.get(1);
                return Optional.of(run -> {
                    Object one = left.of(run);
                    Object other = right.of(run);
                    if (one == GIVE_UP || other == GIVE_UP) {
                        return GIVE_UP;
                    }
                    if (one instanceof Absent absent) {
                        return other instanceof Absent too ? Absent.both(absent, too) : absent;
                    }
                    return other instanceof Absent ? other : both.of(one, other);
                });
            }
            Optional<Declared> own = Optional.ofNullable(functions.byName().get(name));
            if (own.isPresent()) {
                return Optional.of(run -> own(own.get(), of, run));
            }
            return Optional.empty();
        }

        private static Object own(Declared function, List<Node> of, Run run) {
            Object[] arguments = new Object[of.size()];
            Optional<Absent> absent = Optional.empty();
            for (int i = 0; i < arguments.length; i++) {
                Object value = of.get(i).of(run);
                if (value == GIVE_UP) {
                    return GIVE_UP;
                }
                if (value instanceof Absent one) {
                    absent = Optional.of(
                            absent.map(before -> Absent.both(before, one)).orElse(one));
                }
                arguments[i] = value;
            }
            return absent.isPresent() ? absent.get() : function.body().of(arguments);
        }

        /** What an operator makes of a value that is there. */
        private interface Unary {
            Object of(Object value);
        }

        private static Optional<Node> unary(List<Node> of, Unary operator) {
            if (of.size() != 1) {
                return Optional.empty();
            }
            Node only = of.get(0);
            return Optional.of(run -> {
                Object value = only.of(run);
                return value == GIVE_UP || value instanceof Absent ? value : operator.of(value);
            });
        }

        /** What {@code settles} it settles it; else what is absent matters, and errors are CEL's. */
        private static Object logic(Node left, Node right, Run run, boolean settles) {
            Object one = left.of(run);
            if (one instanceof Boolean yes && yes == settles) {
                return one;
            }
            Object other = right.of(run);
            if (other instanceof Boolean yes && yes == settles) {
                return other;
            }
            if (one == GIVE_UP || other == GIVE_UP) {
                return GIVE_UP;
            }
            if (one instanceof Absent absent) {
                return other instanceof Absent too ? Absent.both(absent, too) : absent;
            }
            return other;
        }

        /** What an operator makes of two values that are there. */
        private interface Binary {
            Object of(Object one, Object other);
        }

        private static Optional<Binary> binary(String operator) {
            return switch (operator) {
                case "_<_" -> Optional.of((one, other) -> compare(one, other, order -> order < 0));
                case "_<=_" -> Optional.of((one, other) -> compare(one, other, order -> order <= 0));
                case "_>_" -> Optional.of((one, other) -> compare(one, other, order -> order > 0));
                case "_>=_" -> Optional.of((one, other) -> compare(one, other, order -> order >= 0));
                case "_==_" -> Optional.of(Builder::same);
                case "_!=_" ->
                    Optional.of((one, other) -> same(one, other) instanceof Boolean yes ? (Object) !yes : GIVE_UP);
                case "_+_" -> Optional.of(Builder::plus);
                case "_-_" ->
                    Optional.of((one, other) -> one instanceof Long a && other instanceof Long b
                            ? (Object) Math.subtractExact(a, b)
                            : one instanceof Double a && other instanceof Double b ? (Object) (a - b) : GIVE_UP);
                case "_*_" ->
                    Optional.of((one, other) -> one instanceof Long a && other instanceof Long b
                            ? (Object) Math.multiplyExact(a, b)
                            : one instanceof Double a && other instanceof Double b ? (Object) (a * b) : GIVE_UP);
                case "_/_" -> Optional.of(Builder::divided);
                case "_[_]" ->
                    Optional.of((one, other) ->
                            one instanceof List<?> list && other instanceof Long at && at >= 0 && at < list.size()
                                    ? (Object) list.get(Math.toIntExact(at))
                                    : GIVE_UP);
                case "@in" ->
                    Optional.of((one, other) -> one instanceof String && other instanceof List<?> list
                            ? (Object) list.contains(one)
                            : GIVE_UP);
                default -> Optional.empty();
            };
        }

        /** Asks what an order of two numbers says. */
        private interface Order {
            boolean holds(int order);
        }

        /** Numbers of one type, and no zero with a sign, nor what is no number. */
        private static Object compare(Object one, Object other, Order order) {
            if (one instanceof Double a && other instanceof Double b) {
                double left = a;
                double right = b;
                return left < right
                        ? (Object) order.holds(-1)
                        : left > right ? (Object) order.holds(1) : left == right ? (Object) order.holds(0) : GIVE_UP;
            }
            return one instanceof Long a && other instanceof Long b ? (Object) order.holds(a.compareTo(b)) : GIVE_UP;
        }

        private static Object same(Object one, Object other) {
            if (one instanceof Double a && other instanceof Double b) {
                return Double.isNaN(a) || Double.isNaN(b) ? GIVE_UP : (Object) ((double) a == (double) b);
            }
            return one.getClass() == other.getClass()
                            && (one instanceof Long || one instanceof String || one instanceof Boolean)
                    ? (Object) one.equals(other)
                    : GIVE_UP;
        }

        private static Object plus(Object one, Object other) {
            if (one instanceof Double a && other instanceof Double b) {
                return a + b;
            }
            if (one instanceof Long a && other instanceof Long b) {
                return Math.addExact(a, b);
            }
            return one instanceof String a && other instanceof String b ? a + b : GIVE_UP;
        }

        private static Object divided(Object one, Object other) {
            if (one instanceof Double a && other instanceof Double b) {
                return a / b;
            }
            return one instanceof Long a && other instanceof Long b && b != 0 && b != -1 ? (Object) (a / b) : GIVE_UP;
        }

        /** What the macros {@code all}, {@code exists}, {@code map} and {@code filter} become. */
        private Optional<Node> macro(CelComprehension fold, List<String> locals) {
            if (!fold.iterVar2().isEmpty() || !isVariable(fold.result(), fold.accuVar())) {
                return Optional.empty();
            }
            Optional<Node> range = node(fold.iterRange(), locals);
            List<String> within = new ArrayList<>(locals);
            within.add(fold.iterVar());
            int local = locals.size();
            depth = Math.max(depth, within.size());
            CelExpr step = fold.loopStep();
            if (range.isEmpty() || step.getKind() != CelExpr.ExprKind.Kind.CALL) {
                return Optional.empty();
            }
            List<CelExpr> of = step.call().args();
            String accumulator = fold.accuVar();
            return switch (step.call().function()) {
                case "_&&_" ->
                    isVariable(of.get(0), accumulator) && isConstant(fold.accuInit(), true)
                            ? node(of.get(1), within)
                                    .map(test -> run -> quantified(range.get(), test, local, run, false))
                            : Optional.empty();
                case "_||_" ->
                    isVariable(of.get(0), accumulator) && isConstant(fold.accuInit(), false)
                            ? node(of.get(1), within)
                                    .map(test -> run -> quantified(range.get(), test, local, run, true))
                            : Optional.empty();
                case "_+_" ->
                    isVariable(of.get(0), accumulator) && isEmptyList(fold.accuInit())
                            ? onlyElement(of.get(1))
                                    .flatMap(element -> node(element, within))
                                    .map(element ->
                                            run -> collected(range.get(), Optional.empty(), element, local, run))
                            : Optional.empty();
                case "_?_:_" ->
                    isVariable(of.get(2), accumulator) && isEmptyList(fold.accuInit())
                            ? node(of.get(0), within).flatMap(test -> appended(of.get(1), accumulator)
                                    .flatMap(element -> node(element, within))
                                    .map(element ->
                                            run -> collected(range.get(), Optional.of(test), element, local, run)))
                            : Optional.empty();
                default -> Optional.empty();
            };
        }

        /** The element of {@code accumulator + [element]}. */
        private static Optional<CelExpr> appended(CelExpr expression, String accumulator) {
            return expression.getKind() == CelExpr.ExprKind.Kind.CALL
                            && expression.call().function().equals("_+_")
                            && isVariable(expression.call().args().get(0), accumulator)
                    ? onlyElement(expression.call().args().get(1))
                    : Optional.empty();
        }

        private static Optional<CelExpr> onlyElement(CelExpr expression) {
            return expression.getKind() == CelExpr.ExprKind.Kind.LIST
                            && expression.list().elements().size() == 1
                            && expression.list().optionalIndices().isEmpty()
                    ? Optional.of(expression.list().elements().get(0))
                    : Optional.empty();
        }

        private static boolean isVariable(CelExpr expression, String name) {
            return expression.getKind() == CelExpr.ExprKind.Kind.IDENT
                    && expression.ident().name().equals(name);
        }

        private static boolean isConstant(CelExpr expression, boolean value) {
            return expression.getKind() == CelExpr.ExprKind.Kind.CONSTANT
                    && expression.constant().getKind() == CelConstant.Kind.BOOLEAN_VALUE
                    && expression.constant().booleanValue() == value;
        }

        private static boolean isEmptyList(CelExpr expression) {
            return expression.getKind() == CelExpr.ExprKind.Kind.LIST
                    && expression.list().elements().isEmpty();
        }

        private static Object quantified(Node range, Node test, int local, Run run, boolean settles) {
            if (!(range.of(run) instanceof List<?> list)) {
                return GIVE_UP;
            }
            boolean unsure = false;
            for (Object element : list) {
                if (++run.steps > MOST_STEPS) {
                    return GIVE_UP;
                }
                run.locals[local] = element;
                Object answer = test.of(run);
                if (!(answer instanceof Boolean yes)) {
                    unsure = true;
                } else if (yes == settles) {
                    return answer;
                }
            }
            return unsure ? GIVE_UP : (Object) !settles;
        }

        private static Object collected(Node range, Optional<Node> test, Node element, int local, Run run) {
            if (!(range.of(run) instanceof List<?> list)) {
                return GIVE_UP;
            }
            List<Object> values = new ArrayList<>(list.size());
            for (Object each : list) {
                if (++run.steps > MOST_STEPS) {
                    return GIVE_UP;
                }
                run.locals[local] = each;
                if (test.isPresent()) {
                    Object wanted = test.get().of(run);
                    if (!(wanted instanceof Boolean)) {
                        return GIVE_UP;
                    }
                    if (wanted.equals(false)) {
                        continue;
                    }
                }
                Object value = element.of(run);
                if (value == GIVE_UP || value instanceof Absent) {
                    return GIVE_UP;
                }
                values.add(value);
            }
            return values;
        }
    }
}
