package io.fairwatch.collector.store;

import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;

/**
 * A period's runs as the temporary table {@code piece}: one narrow row for each run that held its allocation in the period,
 * cut to it, with what its summary says of its use. What runs are divided by is a small number there, whose text is told
 * here: a million texts are compared once and never again. Confined to one session and question.
 *
 * <p>What a run was given is told by texts that many runs share, TRES and node lists. Each distinct text is read once, in
 * Java, and joined back.
 */
final class PeriodPieces {
    /** Numbers of texts, from 0. */
    static final class Texts {
        private final List<String> texts = new ArrayList<>();
        private final Map<String, Integer> numbers = new HashMap<>();

        int number(String text) {
            return numbers.computeIfAbsent(text, added -> {
                texts.add(added);
                return texts.size() - 1;
            });
        }

        String text(int number) {
            return texts.get(number);
        }

        /** Into a temporary table of numbers and texts, those as they shall appear. */
        void save(Session session, String table, String column, UnaryOperator<String> shown) throws SQLException {
            session.execute("CREATE OR REPLACE TEMPORARY TABLE " + table + " (no INTEGER NOT NULL, " + column
                    + " VARCHAR NOT NULL)");
            try (Rows rows = session.appendTemporary(table)) {
                for (int i = 0; i < texts.size(); i++) {
                    rows.number(i).text(shown.apply(texts.get(i))).end();
                }
            }
        }
    }

    /** Runs of the period; one without an end that Slurm has not confirmed since is none. */
    private static final String WITHIN = "r.start_ms < ? AND (r.end_ms > ? OR (r.end_ms IS NULL AND r.as_of_ms > ?))";

    /**
     * A summary is of use where the whole run lies in the period and it was made of just that run. Columns from seen_ms on
     * are NULL where nothing is known.
     */
    private static final String PIECE = """
            CREATE OR REPLACE TEMPORARY TABLE piece AS
            SELECT r.cluster, r.job_id, r.start_ms,
              u.no AS user_no, a.no AS account_no, a.department_no, p.no AS partition_no, q.no AS qos_no,
              CASE WHEN COALESCE(r.gpus, 0) = 0 THEN 0 ELSE COALESCE(t.model_no, n.model_no) END AS model_no, n.group_no,
              r.interactive, r.submit_ms, r.state = 'TIMEOUT' AS timed_out, r.time_limit_ms, r.end_ms,
              COALESCE(r.gpus, 0) AS gpus, r.gpus IS NULL AS untold, COALESCE(r.cpus, 0) AS cpus,
              COALESCE(r.memory_bytes, 0) / 1048576.0 AS memory_mib,
              CASE WHEN r.gpus IS NULL OR r.gpus <= 2 THEN COALESCE(r.gpus, 0) WHEN r.gpus <= 4 THEN 4
                WHEN r.gpus <= 8 THEN 8 WHEN r.gpus <= 16 THEN 16 ELSE 17 END AS size,
              greatest(r.start_ms, ?) AS begin_ms,
              greatest(r.start_ms, ?, least(COALESCE(r.end_ms, r.as_of_ms), ?)) AS finish_ms,
              CASE WHEN r.start_ms >= ? AND COALESCE(r.end_ms, r.as_of_ms) <= ? THEN r.suspended_ms
                WHEN r.suspended_ms = 0 THEN 0 END AS suspended_ms,
              s.given_measured_ms AS seen_ms, s.given_used_ms AS used_ms, s.given_idle_ms AS idle_ms,
              CASE WHEN s.given_known >= COALESCE(r.gpus, 0) THEN s.outside_ms WHEN s.given_known IS NOT NULL THEN 0 END
                AS outside_ms,
              s.given_energy_joules AS energy_joules, s.given_energy_ms AS energy_ms,
              s.given_idle_energy_joules AS idle_energy_joules, s.given_memory_used_bytes AS gpu_memory_used_bytes,
              s.given_memory_total_bytes AS gpu_memory_bytes, CAST(round(s.cpu_seconds * 1000) AS BIGINT) AS cpu_used_ms,
              s.memory_max_bytes, CAST(NULL AS BIGINT) AS lost_ms
            FROM run r
            JOIN period_user u ON u.text = r.user_name
            JOIN period_account a ON a.text = r.account
            JOIN period_partition p ON p.text = r.partition_name
            JOIN period_qos q ON q.text = r.qos
            JOIN period_nodes n ON n.text = r.nodes
            LEFT JOIN period_tres t ON t.text = r.tres
            LEFT JOIN run_summary s ON s.cluster = r.cluster AND s.job_id = r.job_id AND s.start_ms = r.start_ms
              AND s.end_ms = r.end_ms AND s.start_ms >= ? AND s.end_ms <= ?
            WHERE\s""" + WITHIN + " AND u.wanted AND a.wanted";

    /** Where neither TRES nor nodes tell the model, the GPUs themselves may. */
    private static final String MODEL_BY_GPU = """
            CREATE OR REPLACE TEMPORARY TABLE period_seen_model AS
            SELECT p.cluster, p.job_id, p.start_ms,
              CASE WHEN min(g.type) = max(g.type) THEN min(g.type) ELSE min(g.type) || '+' || max(g.type) END AS model
            FROM run_gpu g
            JOIN piece p ON p.cluster = g.cluster AND p.job_id = g.job_id AND p.start_ms = g.start_ms
            JOIN period_unknown_model m ON m.no = p.model_no
            WHERE g.type IS NOT NULL GROUP BY p.cluster, p.job_id, p.start_ms""";

    final Texts users = new Texts();
    final Texts accounts = new Texts();
    final Texts departments = new Texts();
    final Texts partitions = new Texts();
    final Texts qos = new Texts();
    final Texts models = new Texts();
    final Texts groups = new Texts();

    private final Session session;
    private final PeriodQuestion question;
    private final long from;
    private final long to;

    private PeriodPieces(Session session, PeriodQuestion question) {
        this.session = session;
        this.question = question;
        this.from = question.from().toEpochMilli();
        this.to = question.to().toEpochMilli();
        models.number(PeriodFacts.NO_GPU);
    }

    /** Makes the table; {@code models} tells the GPU model of each node. */
    static PeriodPieces make(Session session, PeriodQuestion question, Map<String, String> models) throws SQLException {
        PeriodPieces pieces = new PeriodPieces(session, question);
        pieces.texts(models);
        session.update(
                PIECE,
                pieces.from,
                pieces.from,
                pieces.to,
                pieces.from,
                pieces.to,
                pieces.from,
                pieces.to,
                pieces.to,
                pieces.from,
                pieces.from);
        pieces.modelsByGpu();
        return pieces;
    }

    private void texts(Map<String, String> nodeModels) throws SQLException {
        table("period_user", "wanted BOOLEAN NOT NULL", "user_name", (rows, user) -> rows.number(users.number(user))
                .flag(question.user().map(user::equals).orElse(true)));
        table(
                "period_account",
                "department_no INTEGER NOT NULL, wanted BOOLEAN NOT NULL",
                "account",
                (rows, account) -> rows.number(accounts.number(account))
                        .number(departments.number(question.department().apply(account)))
                        .flag(question.accounts()
                                .map(some -> some.contains(account))
                                .orElse(true)));
        table("period_partition", "", "partition_name", (rows, text) -> rows.number(partitions.number(text)));
        table("period_qos", "", "qos", (rows, text) -> rows.number(qos.number(text)));
        table("period_nodes", "group_no INTEGER NOT NULL, model_no INTEGER NOT NULL", "nodes", (rows, text) -> {
            String[] nodes = Json.read(text, String[].class);
            Set<String> itsGroups = new HashSet<>();
            Set<String> types = new TreeSet<>();
            for (String node : nodes) {
                itsGroups.add(question.nodeGroup().apply(node));
                types.add(nodeModels.getOrDefault(node, PeriodFacts.UNKNOWN));
            }
            String group = itsGroups.size() == 1
                    ? itsGroups.iterator().next()
                    : itsGroups.isEmpty() ? PeriodFacts.UNKNOWN : PeriodFacts.SEVERAL;
            rows.number(0)
                    .number(groups.number(group))
                    .number(models.number(types.isEmpty() ? PeriodFacts.UNKNOWN : String.join("+", types)));
        });
        table("period_tres", "model_no INTEGER", "tres", (rows, text) -> {
            String types = tresTypes(text);
            rows.number(0);
            if (types.isEmpty()) {
                rows.none();
            } else {
                rows.number(models.number(types));
            }
        });
    }

    private interface Described {
        void describe(Rows rows, String text) throws SQLException;
    }

    /** The distinct texts of a column of the period's runs, each with its number and what else is known of it. */
    private void table(String table, String more, String column, Described described) throws SQLException {
        session.execute("CREATE OR REPLACE TEMPORARY TABLE " + table + " (text VARCHAR NOT NULL, no INTEGER NOT NULL"
                + (more.isEmpty() ? "" : ", " + more) + ")");
        List<String> texts = session.query(
                "SELECT DISTINCT r." + column + " FROM run r WHERE " + WITHIN, Cells::text, to, from, from);
        try (Rows rows = session.appendTemporary(table)) {
            for (String text : texts) {
                rows.text(text);
                described.describe(rows, text);
                rows.end();
            }
        }
    }

    private void modelsByGpu() throws SQLException {
        session.execute("CREATE OR REPLACE TEMPORARY TABLE period_unknown_model (no INTEGER NOT NULL)");
        boolean any = false;
        try (Rows rows = session.appendTemporary("period_unknown_model")) {
            for (String model : List.copyOf(models.texts)) {
                if (model.contains(PeriodFacts.UNKNOWN)) {
                    rows.number(models.number(model)).end();
                    any = true;
                }
            }
        }
        if (!any) {
            return;
        }
        session.execute(MODEL_BY_GPU);
        session.query("SELECT DISTINCT model FROM period_seen_model", Cells::text)
                .forEach(models::number);
        models.save(session, "period_model_text", "text", UnaryOperator.identity());
        session.execute("""
                UPDATE piece SET model_no = t.no
                FROM period_seen_model s JOIN period_model_text t ON t.text = s.model
                WHERE s.cluster = piece.cluster AND s.job_id = piece.job_id AND s.start_ms = piece.start_ms""");
    }

    // ---- what texts mean

    /** Types of GPUs in Slurm's GRES text, e.g. {@code gpu:v100:16(S:0-1)}; empty where it names none. */
    static String gresTypes(String gres) {
        Set<String> types = new TreeSet<>();
        for (String entry : gres.split(",(?![^(]*\\))", -1)) {
            String[] parts = entry.replaceFirst("\\(.*", "").split(":", -1);
            if (parts[0].strip().equals("gpu") && parts.length > 1 && !parts[1].matches("\\d+")) {
                types.add(parts[1].strip());
            }
        }
        return String.join("+", types);
    }

    /** Types of GPUs in Slurm's TRES text, e.g. {@code gres/gpu=2,gres/gpu:v100=2}; empty where it names none. */
    static String tresTypes(String tres) {
        Set<String> types = new TreeSet<>();
        for (String entry : tres.split(",", -1)) {
            int equals = entry.indexOf('=');
            if (entry.startsWith("gres/gpu:") && equals > 0 && !entry.endsWith("=0")) {
                types.add(entry.substring("gres/gpu:".length(), equals));
            }
        }
        return String.join("+", types);
    }
}
