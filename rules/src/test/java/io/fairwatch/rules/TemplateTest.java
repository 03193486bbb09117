package io.fairwatch.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class TemplateTest {
    @Test
    @DisplayName("where an insert came out empty, nothing is seen of it")
    void empty() {
        assertEquals("Job 7 is idle.", Template.tidy("Job 7  is   idle. "));
        assertEquals("one\n\ntwo", Template.tidy("\n one \n  \n\n   \ntwo\n"));
        assertEquals("#SBATCH\n  --gpus=1", Template.tidy("#SBATCH  \n  --gpus=1"), "what begins a line stays");
    }

    /** The rules of tidiness one after the other, as slowly as they read. */
    private static String slowly(String text) {
        return text.replaceAll("(?<=\\S) {2,}", " ")
                .replaceAll(" +(?=\\n|$)", "")
                .replaceAll("\\n{3,}", "\n\n")
                .strip();
    }

    @Test
    @DisplayName("all of it at once is the same as one rule after the other")
    void atOnce() {
        Random random = new Random(1);
        for (int i = 0; i < 20_000; i++) {
            StringBuilder text = new StringBuilder();
            for (int length = random.nextInt(16); length > 0; length--) {
                text.append("ab  \n\n\t".charAt(random.nextInt(7)));
            }
            String made = text.toString();
            assertEquals(slowly(made), Template.tidy(made), () -> '"' + made.replace("\n", "\\n") + '"');
        }
    }
}
