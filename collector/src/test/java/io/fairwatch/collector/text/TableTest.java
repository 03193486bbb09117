package io.fairwatch.collector.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class TableTest {
    private static final List<String[]> RULES = List.of(
            new String[] {"Rule", "What it is for", "Hours"},
            new String[] {"idle-gpu", "GPUs that have done nothing for as long as the window", "12"},
            new String[] {"a", "b", "3"});

    @Test
    @DisplayName("the first column stands to the left, the others to the right")
    void plain() {
        assertEquals("""
                Rule                                              What it is for   Hours
                idle-gpu   GPUs that have done nothing for as long as the window      12
                a                                                              b       3
                """, Table.render(RULES));
    }

    @Test
    @DisplayName("what is too wide is wrapped between words, and a wrapped text stands to the left")
    void wrapped() {
        assertEquals("""
                Rule       What it is for            Hours
                idle-gpu   GPUs that have done          12
                           nothing for as long as
                           the window
                a          b                             3
                """, Table.render(RULES, 42));
    }

    @Test
    @DisplayName("a word that is too long stays whole, and columns stay columns")
    void longWord() {
        List<String[]> rows = List.of(
                new String[] {"User", "Hours"}, new String[] {"a-user-with-a-very-long-name@example.org", "12"});
        assertEquals(Table.render(rows), Table.render(rows, 30));
    }
}
