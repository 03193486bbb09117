package io.fairwatch.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class ShippedRulesTest {
    @Test
    @DisplayName("every shipped rule comes out as its own table of cases says")
    void casesHold() throws Exception {
        List<RuleSet.CaseFailure> failures = RuleSet.read(Shipped.files()).runCases();
        assertEquals(
                "",
                failures.stream().map(String::valueOf).collect(Collectors.joining("\n")),
                "cases that came out wrong");
    }
}
