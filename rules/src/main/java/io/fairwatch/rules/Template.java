package io.fairwatch.rules;

import dev.cel.common.types.CelType;
import dev.cel.common.types.SimpleType;
import io.fairwatch.rules.Expression.Answer;
import io.fairwatch.rules.Expression.ExpressionException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/** A text with <code>{{ CEL }}</code> inserts. Immutable and thread-safe. */
final class Template {
    private static final List<CelType> PRINTABLE = List.of(SimpleType.STRING, SimpleType.INT, SimpleType.DOUBLE);

    private static final Pattern WHITE_SPACE = Pattern.compile("\\s+");

    private final Language language;
    private final List<Part> parts;

    private Template(Language language, List<Part> parts) {
        this.language = language;
        this.parts = List.copyOf(parts);
    }

    private sealed interface Part {
        record Plain(String text) implements Part {}

        record Insert(Expression expression) implements Part {}
    }

    /** Is told of each problem.
     *
     * <p>{@code insert} counts the inserts from 0, {@code line} the lines within that insert from 1. */
    interface OnProblem {
        void problem(int insert, int line, String what, String expected);
    }

    /** Reads a text; what is wrong goes to {@code onProblem}. */
    static Template parse(String text, Expression.Compiler compiler, OnProblem onProblem) {
        List<Part> parts = new ArrayList<>();
        int inserts = 0;
        int at = 0;
        for (int open = text.indexOf("{{"); open >= 0; open = text.indexOf("{{", at)) {
            parts.add(new Part.Plain(text.substring(at, open)));
            int close = text.indexOf("}}", open);
            if (close < 0) {
                onProblem.problem(inserts, 1, "{{ without an end", "}} after the expression");
                return new Template(compiler.language(), List.of());
            }
            try {
                parts.add(new Part.Insert(compiler.perSubject(text.substring(open + 2, close), PRINTABLE)));
            } catch (ExpressionException e) {
                onProblem.problem(
                        inserts,
                        e.line(),
                        String.valueOf(e.getMessage()),
                        "a CEL expression of type string, int or double");
            }
            inserts++;
            at = close + 2;
        }
        parts.add(new Part.Plain(text.substring(at)));
        return new Template(compiler.language(), parts);
    }

    /** The expressions in it, in order. */
    List<Expression> inserts() {
        return parts.stream()
                .filter(Part.Insert.class::isInstance)
                .map(part -> ((Part.Insert) part).expression())
                .toList();
    }

    /** Writes the text. What depends on an absent fact is shown as not known.
     *
     * @return the text, or the reason why it cannot be written */
    Answer write(Scene scene) {
        StringBuilder out = new StringBuilder();
        for (Part part : parts) {
            if (part instanceof Part.Plain plain) {
                out.append(plain.text());
            } else if (part instanceof Part.Insert insert) {
                Answer answer = insert.expression().answer(scene);
                if (answer instanceof Answer.Value value) {
                    out.append(printable(value.value()));
                } else if (answer instanceof Answer.Missing) {
                    out.append(language.notKnown());
                } else {
                    return answer;
                }
            }
        }
        return new Answer.Value(tidy(out.toString()));
    }

    private String printable(Object value) {
        if (value instanceof Double number) {
            return language.number(String.format(Locale.ROOT, "%.2f", number).replaceFirst("\\.?0+$", ""));
        }
        return plain(String.valueOf(value));
    }

    /** Replaces what could start a line, move the cursor or turn the writing direction: users choose job names. */
    static String plain(String text) {
        StringBuilder out = new StringBuilder(text.length());
        text.codePoints().forEach(point -> {
            int type = Character.getType(point);
            boolean harmful = type == Character.CONTROL
                    || type == Character.FORMAT
                    || type == Character.LINE_SEPARATOR
                    || type == Character.PARAGRAPH_SEPARATOR
                    || type == Character.SURROGATE;
            out.appendCodePoint(harmful ? '?' : point);
        });
        return out.toString();
    }

    /** Makes one paragraph of a written text. */
    static String paragraph(String text) {
        return WHITE_SPACE.matcher(text).replaceAll(" ").strip();
    }

    /**
     * An insert may come out empty; nobody should see where it was: several spaces within a line become one, those at its
     * end none, and several empty lines one. By hand, because it is done for every finding of every round.
     */
    static String tidy(String text) {
        StringBuilder out = new StringBuilder(text.length());
        int newlines = 0;
        for (int at = 0; at < text.length(); at++) {
            char next = text.charAt(at);
            if (next == ' ') {
                int end = at;
                while (end < text.length() && text.charAt(end) == ' ') {
                    end++;
                }
                if (end < text.length() && text.charAt(end) != '\n') {
                    boolean begins = at == 0 || Character.isWhitespace(text.charAt(at - 1));
                    out.append(text, at, begins ? end : at + 1);
                    newlines = 0;
                }
                at = end - 1;
            } else if (next != '\n') {
                out.append(next);
                newlines = 0;
            } else if (++newlines <= 2) {
                out.append(next);
            }
        }
        return out.toString().strip();
    }
}
