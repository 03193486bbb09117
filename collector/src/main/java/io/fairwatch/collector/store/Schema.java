package io.fairwatch.collector.store;

import io.fairwatch.collector.store.Store.StoreException;
import java.sql.SQLException;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The tables. Immutable.
 *
 * <p>Times are BIGINT milliseconds since 1970, lengths BIGINT milliseconds, absent is NULL. No table has a key or an
 * index: those are what broke DuckDB's files after a kill, and rows are replaced by delete and insert in one transaction
 * instead. Tables of readings are only ever appended to, so that whole hours of them can be sealed.
 */
final class Schema {
    /** The version that this code writes and the newest that it reads. */
    static final int VERSION = 4;

    private static final List<String> TABLES = List.of(
            // single values
            """
            CREATE TABLE IF NOT EXISTS meta (
              name VARCHAR NOT NULL, value VARCHAR NOT NULL)""",

            // ---- readings, appended only

            // one row for each snapshot
            """
            CREATE TABLE IF NOT EXISTS node_reading (
              node VARCHAR NOT NULL, at_ms BIGINT NOT NULL, period_ms BIGINT NOT NULL,
              boot_id VARCHAR NOT NULL, sequence BIGINT NOT NULL,
              logical_cpus INTEGER, cpu_busy_ratio DOUBLE, memory_total_bytes BIGINT, memory_available_bytes BIGINT,
              load_average DOUBLE,
              agent_started_ms BIGINT NOT NULL, agent_dropped BIGINT NOT NULL, agent_cpu_seconds DOUBLE,
              agent_resident_bytes BIGINT, swap_total_bytes BIGINT, swap_used_bytes BIGINT)""",
            // one row for each GPU of each snapshot; process_count is NULL when the driver did not tell; clock_limits
            // and
            // xids are lists with commas, empty: none, NULL: not told
            """
            CREATE TABLE IF NOT EXISTS gpu_reading (
              uuid VARCHAR NOT NULL, at_ms BIGINT NOT NULL, period_ms BIGINT NOT NULL, node VARCHAR NOT NULL,
              utilization_mean DOUBLE, utilization_max DOUBLE, utilization_last DOUBLE, utilization_samples INTEGER,
              utilization_source VARCHAR,
              memory_utilization_mean DOUBLE, memory_utilization_max DOUBLE, memory_utilization_last DOUBLE,
              memory_utilization_samples INTEGER, memory_utilization_source VARCHAR,
              memory_used_bytes BIGINT, memory_reserved_bytes BIGINT,
              power_watts DOUBLE, power_limit_watts DOUBLE, energy_joules DOUBLE,
              temperature_celsius DOUBLE, sm_clock_hertz DOUBLE, process_count INTEGER,
              memory_temperature_celsius DOUBLE, clock_limits VARCHAR, graphics_ratio DOUBLE, sm_ratio DOUBLE,
              occupancy_ratio DOUBLE, tensor_ratio DOUBLE, dram_ratio DOUBLE, pcie_sent_bytes_per_second DOUBLE,
              pcie_received_bytes_per_second DOUBLE, nvlink_sent_bytes_per_second DOUBLE,
              nvlink_received_bytes_per_second DOUBLE, ecc_corrected BIGINT, ecc_uncorrected BIGINT,
              remapped_rows BIGINT, reset_needed BOOLEAN, xids VARCHAR, last_xid INTEGER)""",
            // one row for each process on each GPU of each snapshot
            """
            CREATE TABLE IF NOT EXISTS gpu_process (
              uuid VARCHAR NOT NULL, at_ms BIGINT NOT NULL, node VARCHAR NOT NULL, pid INTEGER NOT NULL,
              kind VARCHAR NOT NULL, uid INTEGER, job_id BIGINT, step VARCHAR, evidence VARCHAR,
              memory_used_bytes BIGINT, utilization_ratio DOUBLE)""",
            // one row for each job's cgroup of each snapshot; gpu_minors is a list with commas
            """
            CREATE TABLE IF NOT EXISTS job_reading (
              node VARCHAR NOT NULL, job_id BIGINT NOT NULL, at_ms BIGINT NOT NULL, period_ms BIGINT NOT NULL,
              sluid VARCHAR, uid INTEGER, processes INTEGER, cpu_seconds DOUBLE, memory_used_bytes BIGINT,
              memory_current_bytes BIGINT, memory_peak_bytes BIGINT, memory_limit_bytes BIGINT, cpus INTEGER,
              threads INTEGER, cpu_system_seconds DOUBLE, memory_cache_bytes BIGINT, swap_used_bytes BIGINT,
              oom_kills BIGINT, memory_limit_hits BIGINT, read_bytes BIGINT, written_bytes BIGINT,
              cpu_stalled_seconds DOUBLE, memory_stalled_seconds DOUBLE, io_stalled_seconds DOUBLE,
              gpu_minors VARCHAR)""",
            // one row for each user of each snapshot
            """
            CREATE TABLE IF NOT EXISTS user_reading (
              node VARCHAR NOT NULL, at_ms BIGINT NOT NULL, period_ms BIGINT NOT NULL, uid INTEGER NOT NULL,
              user_name VARCHAR, processes INTEGER NOT NULL, processes_in_jobs INTEGER NOT NULL,
              cpu_seconds DOUBLE, resident_bytes BIGINT NOT NULL, cpu_seconds_in_jobs DOUBLE,
              resident_bytes_in_jobs BIGINT, proportional_bytes BIGINT)""",

            // ---- sealed readings

            // one row for each file that readings were sealed into; name is below the directory of sealed files
            """
            CREATE TABLE IF NOT EXISTS sealed_file (
              table_name VARCHAR NOT NULL, day VARCHAR NOT NULL, name VARCHAR NOT NULL, row_count BIGINT NOT NULL,
              bytes BIGINT NOT NULL, min_at_ms BIGINT NOT NULL, max_at_ms BIGINT NOT NULL,
              max_period_ms BIGINT NOT NULL, version INTEGER NOT NULL)""",

            // ---- roll-ups: five minutes each, at_ms their end; always in sealed files, so these tables stay empty
            // here.
            // Rows are made when an hour is sealed, and again from what comes late: several of one key add up.

            // one row for each GPU; used_ms: utilisation times measured_ms; energy: counter at the first and last
            // reading,
            // what it rose between them, and whether the GPU was idle at the first; holders: runs that Slurm gave it
            // to,
            // of which one is named when it is the only one
            """
            CREATE TABLE IF NOT EXISTS gpu_5m (
              uuid VARCHAR NOT NULL, at_ms BIGINT NOT NULL, node VARCHAR NOT NULL, samples INTEGER NOT NULL,
              last_ms BIGINT NOT NULL, covered_ms BIGINT NOT NULL, measured_ms BIGINT, used_ms DOUBLE,
              busy_above DOUBLE NOT NULL, busy_ms BIGINT NOT NULL, idle_ms BIGINT NOT NULL, utilization_max DOUBLE,
              busy_at_ms BIGINT, memory_mean DOUBLE, memory_max BIGINT, told INTEGER NOT NULL,
              energy_first DOUBLE, energy_last DOUBLE, first_idle BOOLEAN, energy_joules DOUBLE,
              idle_energy_joules DOUBLE, power_mean DOUBLE, power_max DOUBLE, memory_utilization_mean DOUBLE,
              temperature_max DOUBLE, graphics_mean DOUBLE, sm_mean DOUBLE, occupancy_mean DOUBLE, tensor_mean DOUBLE,
              dram_mean DOUBLE, xids INTEGER, holders INTEGER NOT NULL, job_id BIGINT, run_start_ms BIGINT)""",
            // one row for each job whose processes were seen on a GPU; environ: known by their environment alone; of
            // the
            // snapshots, shared are those that show others beside it, and estimated those of them in which it is not
            // told
            // what its processes used. Sums over snapshots: parts: one divided by the jobs there, gpu_parts: the same
            // where the GPU's own use has to stand for that of the processes, own_use: use of the processes elsewhere.
            // NULL before version 4
            """
            CREATE TABLE IF NOT EXISTS gpu_job_5m (
              job_id BIGINT NOT NULL, uuid VARCHAR NOT NULL, at_ms BIGINT NOT NULL, node VARCHAR NOT NULL, uid INTEGER,
              environ BOOLEAN NOT NULL, snapshots INTEGER NOT NULL, processes_max INTEGER NOT NULL,
              memory_max BIGINT, shared INTEGER, estimated INTEGER, parts DOUBLE, gpu_parts DOUBLE, own_use DOUBLE)""",
            // one row for each job on each node
            """
            CREATE TABLE IF NOT EXISTS job_5m (
              job_id BIGINT NOT NULL, node VARCHAR NOT NULL, at_ms BIGINT NOT NULL, uid INTEGER,
              samples INTEGER NOT NULL, last_ms BIGINT NOT NULL, covered_ms BIGINT NOT NULL, cpu_first DOUBLE,
              cpu_last DOUBLE, cpu_seconds DOUBLE, memory_mean DOUBLE, memory_max BIGINT, memory_limit_max BIGINT,
              processes_max INTEGER, cpus INTEGER, cpu_system_seconds DOUBLE, swap_max BIGINT, oom_kills BIGINT,
              memory_limit_hits BIGINT, read_bytes BIGINT, written_bytes BIGINT, cpu_stalled_seconds DOUBLE,
              memory_stalled_seconds DOUBLE, io_stalled_seconds DOUBLE)""",
            // one row for each user on each node
            """
            CREATE TABLE IF NOT EXISTS user_5m (
              uid INTEGER NOT NULL, node VARCHAR NOT NULL, at_ms BIGINT NOT NULL, user_name VARCHAR,
              samples INTEGER NOT NULL, covered_ms BIGINT NOT NULL, cpu_seconds DOUBLE, cpu_seconds_in_jobs DOUBLE,
              resident_mean DOUBLE, resident_max BIGINT, resident_in_jobs_max BIGINT, processes_max INTEGER,
              processes_in_jobs_max INTEGER)""",
            // one row for each node
            """
            CREATE TABLE IF NOT EXISTS node_5m (
              node VARCHAR NOT NULL, at_ms BIGINT NOT NULL, samples INTEGER NOT NULL, covered_ms BIGINT NOT NULL,
              logical_cpus INTEGER, cpu_busy_mean DOUBLE, cpu_busy_max DOUBLE, memory_total_bytes BIGINT,
              memory_available_mean DOUBLE, memory_available_min BIGINT, load_mean DOUBLE, swap_used_max BIGINT,
              agent_dropped BIGINT)""",

            // ---- what is newest

            // which snapshots have come: ranges of sequences, both ends included
            """
            CREATE TABLE IF NOT EXISTS received (
              id VARCHAR NOT NULL, node VARCHAR NOT NULL, boot_id VARCHAR NOT NULL, first_sequence BIGINT NOT NULL,
              last_sequence BIGINT NOT NULL)""",
            // one row for each node; state and scratch are JSON of its newest snapshot
            """
            CREATE TABLE IF NOT EXISTS node (
              node VARCHAR NOT NULL, first_at_ms BIGINT NOT NULL, last_at_ms BIGINT NOT NULL,
              boot_id VARCHAR NOT NULL, sequence BIGINT NOT NULL, period_ms BIGINT NOT NULL,
              agent_version VARCHAR NOT NULL, state VARCHAR NOT NULL, scratch VARCHAR NOT NULL)""",
            // one row for each GPU; the last five only for a slice of one
            """
            CREATE TABLE IF NOT EXISTS gpu (
              uuid VARCHAR NOT NULL, node VARCHAR NOT NULL, last_at_ms BIGINT NOT NULL, nvml_index INTEGER NOT NULL,
              minor_number INTEGER, pci_bus_id VARCHAR, name VARCHAR NOT NULL, memory_total_bytes BIGINT,
              mig_parent_uuid VARCHAR, mig_gpu_instance INTEGER, mig_compute_instance INTEGER,
              mig_multiprocessors INTEGER, mig_profile VARCHAR)""",

            // ---- Slurm

            // one row for each run; nodes is a JSON array
            """
            CREATE TABLE IF NOT EXISTS run (
              cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL,
              array_job_id BIGINT, array_task_id BIGINT, het_job_id BIGINT, het_offset INTEGER,
              user_name VARCHAR NOT NULL, uid INTEGER, account VARCHAR NOT NULL, partition_name VARCHAR NOT NULL,
              qos VARCHAR NOT NULL, name VARCHAR NOT NULL, interactive BOOLEAN NOT NULL, submit_ms BIGINT NOT NULL,
              end_ms BIGINT, time_limit_ms BIGINT, suspended_ms BIGINT NOT NULL, state VARCHAR NOT NULL,
              state_text VARCHAR NOT NULL, nodes VARCHAR NOT NULL, cpus INTEGER, memory_bytes BIGINT, gpus INTEGER,
              tres VARCHAR NOT NULL, as_of_ms BIGINT NOT NULL, eligible_ms BIGINT, resumed_ms BIGINT,
              comment VARCHAR, reservation VARCHAR)""",
            // one row for each GPU of each run; place keeps Slurm's order
            """
            CREATE TABLE IF NOT EXISTS run_gpu (
              cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL, place INTEGER NOT NULL,
              node VARCHAR NOT NULL, gres_index INTEGER NOT NULL, type VARCHAR, uuid VARCHAR,
              confidence VARCHAR NOT NULL)""",
            """
            CREATE TABLE IF NOT EXISTS pending (
              place INTEGER NOT NULL, cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, display_id VARCHAR NOT NULL,
              user_name VARCHAR NOT NULL, uid INTEGER, account VARCHAR NOT NULL, partition_name VARCHAR NOT NULL,
              qos VARCHAR NOT NULL, name VARCHAR NOT NULL, submit_ms BIGINT NOT NULL, reason VARCHAR NOT NULL,
              request VARCHAR NOT NULL, comment VARCHAR, reservation VARCHAR)""",
            """
            CREATE TABLE IF NOT EXISTS slurm_node (
              place INTEGER NOT NULL, name VARCHAR NOT NULL, state VARCHAR NOT NULL, cpus INTEGER,
              memory_bytes BIGINT, gpus INTEGER, gres VARCHAR NOT NULL,
              given_cpus INTEGER, given_memory_bytes BIGINT, given_gpus INTEGER)""",

            // ---- accounts, associations of users, QoS: lists are JSON arrays

            """
            CREATE TABLE IF NOT EXISTS slurm_account (
              place INTEGER NOT NULL, name VARCHAR NOT NULL, parent VARCHAR, description VARCHAR NOT NULL,
              organization VARCHAR NOT NULL, coordinators VARCHAR NOT NULL, qos VARCHAR NOT NULL,
              tres_per_user VARCHAR NOT NULL, tres_per_job VARCHAR NOT NULL, tres_group VARCHAR NOT NULL,
              jobs INTEGER, submitted INTEGER, wall_ms BIGINT)""",
            """
            CREATE TABLE IF NOT EXISTS slurm_association (
              place INTEGER NOT NULL, user_name VARCHAR NOT NULL, account VARCHAR NOT NULL, partition_name VARCHAR,
              default_qos VARCHAR, qos VARCHAR NOT NULL, fairshare BIGINT,
              tres_per_user VARCHAR NOT NULL, tres_per_job VARCHAR NOT NULL, tres_group VARCHAR NOT NULL,
              jobs INTEGER, submitted INTEGER, wall_ms BIGINT)""",
            """
            CREATE TABLE IF NOT EXISTS slurm_user (
              place INTEGER NOT NULL, name VARCHAR NOT NULL, default_account VARCHAR, admin_level VARCHAR NOT NULL)""",
            """
            CREATE TABLE IF NOT EXISTS slurm_qos (
              place INTEGER NOT NULL, name VARCHAR NOT NULL, priority BIGINT NOT NULL,
              tres_per_user VARCHAR NOT NULL, tres_per_job VARCHAR NOT NULL, tres_group VARCHAR NOT NULL,
              jobs INTEGER, submitted INTEGER, wall_ms BIGINT)""",
            // one row for each time that Slurm said the same of a node; until_ms is NULL for what holds in the newest
            // view
            """
            CREATE TABLE IF NOT EXISTS node_state (
              name VARCHAR NOT NULL, from_ms BIGINT NOT NULL, until_ms BIGINT, service VARCHAR NOT NULL, cpus INTEGER,
              memory_bytes BIGINT, gpus INTEGER, gres VARCHAR NOT NULL)""",

            // ---- what runs did in all, for ever

            // one row for each ended run; covered_ms, measured_ms, used_ms, busy_ms, idle_ms and energy are sums over
            // its GPUs; the columns from nodes_seen on are those of its cgroups, NULL when they were never seen; those
            // from given_known on are what a report needs: sums over the GPUs that it was given, outside_ms over others
            """
            CREATE TABLE IF NOT EXISTS run_summary (
              cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL,
              made_ms BIGINT NOT NULL, busy_above DOUBLE NOT NULL, gpus INTEGER NOT NULL, covered_ms BIGINT NOT NULL,
              measured_ms BIGINT NOT NULL, used_ms BIGINT NOT NULL, busy_ms BIGINT NOT NULL, idle_ms BIGINT NOT NULL,
              energy_joules DOUBLE, idle_energy_joules DOUBLE,
              nodes_seen INTEGER, cpu_seconds DOUBLE, memory_max_bytes BIGINT, processes_max INTEGER,
              given_known INTEGER, given_measured_ms BIGINT, given_used_ms BIGINT, given_idle_ms BIGINT,
              given_energy_joules BIGINT, given_energy_ms BIGINT, given_idle_energy_joules BIGINT,
              given_memory_used_bytes BIGINT, given_memory_total_bytes BIGINT, outside_ms BIGINT)""",
            // one row for each GPU that a run was given (given) or used; used_ms: utilisation times measured_ms; the
            // last
            // six are NULL where it shared the GPU with nobody
            """
            CREATE TABLE IF NOT EXISTS run_gpu_summary (
              cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL, place INTEGER NOT NULL,
              node VARCHAR NOT NULL, uuid VARCHAR, given BOOLEAN NOT NULL, gres_index INTEGER, samples INTEGER NOT NULL,
              covered_ms BIGINT NOT NULL, measured_ms BIGINT NOT NULL, used_ms BIGINT NOT NULL, busy_ms BIGINT NOT NULL,
              idle_ms BIGINT NOT NULL, utilization_max DOUBLE, last_busy_ms BIGINT, memory_max_bytes BIGINT,
              memory_mean_bytes BIGINT, processes_max INTEGER, energy_joules DOUBLE, idle_energy_joules DOUBLE,
              power_mean_watts DOUBLE, power_max_watts DOUBLE, memory_utilization_mean DOUBLE,
              temperature_max_celsius DOUBLE, graphics_mean DOUBLE, sm_mean DOUBLE, occupancy_mean DOUBLE,
              tensor_mean DOUBLE, dram_mean DOUBLE, xids INTEGER, shared_ms BIGINT, own_ms BIGINT,
              own_utilization_mean DOUBLE, own_utilization_estimated BOOLEAN, own_memory_max_bytes BIGINT,
              own_memory_estimated BOOLEAN)""",
            // one row for each node on which a run's cgroup was seen
            """
            CREATE TABLE IF NOT EXISTS run_node_summary (
              cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL, node VARCHAR NOT NULL,
              samples INTEGER NOT NULL, cpu_seconds DOUBLE, memory_max_bytes BIGINT, memory_limit_bytes BIGINT,
              processes_max INTEGER, cpus INTEGER, cpu_system_seconds DOUBLE, swap_max_bytes BIGINT, oom_kills BIGINT,
              memory_limit_hits BIGINT, read_bytes BIGINT, written_bytes BIGINT, cpu_stalled_seconds DOUBLE,
              memory_stalled_seconds DOUBLE, io_stalled_seconds DOUBLE)""",

            // ---- judgements

            """
            CREATE TABLE IF NOT EXISTS finding (
              cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL, rule VARCHAR NOT NULL,
              since_ms BIGINT NOT NULL, state VARCHAR NOT NULL, last_seen_ms BIGINT NOT NULL, clear_since_ms BIGINT,
              told_ms BIGINT, user_name VARCHAR NOT NULL, summary VARCHAR NOT NULL, fix VARCHAR NOT NULL,
              evidence VARCHAR NOT NULL, step_planned INTEGER NOT NULL, step_done INTEGER NOT NULL,
              step_done_ms BIGINT, subject_kind VARCHAR DEFAULT 'RUN', subject_name VARCHAR DEFAULT '',
              translations VARCHAR)""",
            """
            CREATE TABLE IF NOT EXISTS notice (
              id VARCHAR NOT NULL, cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL,
              rule VARCHAR NOT NULL, since_ms BIGINT NOT NULL, step INTEGER NOT NULL, channel VARCHAR NOT NULL,
              topic VARCHAR NOT NULL, recipient VARCHAR NOT NULL, user_name VARCHAR NOT NULL, address VARCHAR,
              state VARCHAR NOT NULL, mail VARCHAR, created_ms BIGINT NOT NULL, changed_ms BIGINT NOT NULL,
              attempts INTEGER NOT NULL, detail VARCHAR NOT NULL, subject_kind VARCHAR DEFAULT 'RUN',
              subject_name VARCHAR DEFAULT '', announced VARCHAR, announced_ms BIGINT)""",
            BounceTables.TABLE,
            AuditTables.EXEMPTION_TABLE,
            AuditTables.AUDIT_TABLE);

    /**
     * From version 1 to 2: columns that old tables lack, each at the end, where {@link #TABLES} has it too, and tables put
     * aside that are made anew. Tables that are missing are made by TABLES itself.
     */
    private static final List<String> FROM_1_TO_2 = List.of(
            add("node_reading", "swap_total_bytes BIGINT", "swap_used_bytes BIGINT"),
            add(
                    "gpu_reading",
                    "memory_temperature_celsius DOUBLE",
                    "clock_limits VARCHAR",
                    "graphics_ratio DOUBLE",
                    "sm_ratio DOUBLE",
                    "occupancy_ratio DOUBLE",
                    "tensor_ratio DOUBLE",
                    "dram_ratio DOUBLE",
                    "pcie_sent_bytes_per_second DOUBLE",
                    "pcie_received_bytes_per_second DOUBLE",
                    "nvlink_sent_bytes_per_second DOUBLE",
                    "nvlink_received_bytes_per_second DOUBLE",
                    "ecc_corrected BIGINT",
                    "ecc_uncorrected BIGINT",
                    "remapped_rows BIGINT",
                    "reset_needed BOOLEAN",
                    "xids VARCHAR",
                    "last_xid INTEGER"),
            add(
                    "gpu",
                    "mig_parent_uuid VARCHAR",
                    "mig_gpu_instance INTEGER",
                    "mig_compute_instance INTEGER",
                    "mig_multiprocessors INTEGER",
                    "mig_profile VARCHAR"),
            add(
                    "job_reading",
                    "cpus INTEGER",
                    "threads INTEGER",
                    "cpu_system_seconds DOUBLE",
                    "memory_cache_bytes BIGINT",
                    "swap_used_bytes BIGINT",
                    "oom_kills BIGINT",
                    "memory_limit_hits BIGINT",
                    "read_bytes BIGINT",
                    "written_bytes BIGINT",
                    "cpu_stalled_seconds DOUBLE",
                    "memory_stalled_seconds DOUBLE",
                    "io_stalled_seconds DOUBLE",
                    "gpu_minors VARCHAR"),
            add(
                    "user_reading",
                    "cpu_seconds_in_jobs DOUBLE",
                    "resident_bytes_in_jobs BIGINT",
                    "proportional_bytes BIGINT"),
            add("run", "eligible_ms BIGINT", "resumed_ms BIGINT", "comment VARCHAR", "reservation VARCHAR"),
            add("slurm_node", "given_cpus INTEGER", "given_memory_bytes BIGINT", "given_gpus INTEGER"),
            "ALTER TABLE finding RENAME TO finding_1",
            "ALTER TABLE notice RENAME TO notice_1");

    /** From version 1 to 2, after the tables were made: rows of those that are made anew. */
    private static final List<String> THEN_FROM_1_TO_2 =
            List.of("""
            INSERT INTO finding SELECT f.*, CASE WHEN told_ms IS NULL THEN 0 ELSE 1 END,
              CASE WHEN told_ms IS NULL THEN 0 ELSE 1 END, told_ms, 'RUN', '', NULL FROM finding_1 f""", "DROP TABLE finding_1", """
            INSERT INTO notice SELECT id, cluster, job_id, start_ms, rule, since_ms, 1, 'OWNER', 'FINDING', user_name,
              user_name, address, state, NULL, created_ms, changed_ms, attempts, detail, 'RUN', '', NULL, NULL FROM notice_1""", "DROP TABLE notice_1");

    /** From version 2 to 3, and from 1 too: columns, as above. Run after the tables were made, so what is new has them. */
    private static final List<String> FROM_2_TO_3 = List.of(
            add("notice", "announced VARCHAR", "announced_ms BIGINT"),
            add("finding", "translations VARCHAR"),
            add("pending", "comment VARCHAR", "reservation VARCHAR"),
            add(
                    "run_summary",
                    "given_known INTEGER",
                    "given_measured_ms BIGINT",
                    "given_used_ms BIGINT",
                    "given_idle_ms BIGINT",
                    "given_energy_joules BIGINT",
                    "given_energy_ms BIGINT",
                    "given_idle_energy_joules BIGINT",
                    "given_memory_used_bytes BIGINT",
                    "given_memory_total_bytes BIGINT",
                    "outside_ms BIGINT"),
            SummaryTables.FILL_GIVEN,
            SummaryTables.FILL_GIVEN_NONE);

    /** From version 3 to 4, and from those before: columns, as above. */
    private static final List<String> FROM_3_TO_4 = List.of(
            add(
                    "gpu_job_5m",
                    "shared INTEGER",
                    "estimated INTEGER",
                    "parts DOUBLE",
                    "gpu_parts DOUBLE",
                    "own_use DOUBLE"),
            add(
                    "run_gpu_summary",
                    "shared_ms BIGINT",
                    "own_ms BIGINT",
                    "own_utilization_mean DOUBLE",
                    "own_utilization_estimated BOOLEAN",
                    "own_memory_max_bytes BIGINT",
                    "own_memory_estimated BOOLEAN"));

    private static final int FEW = 64;

    private Schema() {}

    /**
     * Makes what is missing, and leaves no definition in the log: it is the log's definitions that could not always be
     * replayed after a kill.
     *
     * @throws StoreException if a newer version wrote this database
     */
    static void prepare(Session session) throws SQLException, StoreException {
        int version = version(session);
        if (version > VERSION) {
            throw new StoreException("store: written by a newer collector (schema " + version
                    + ", this one knows up to " + VERSION + "); start that collector, or restore an older copy");
        }
        if (version == VERSION) {
            return;
        }
        session.begin();
        if (version == 1) {
            for (String change : FROM_1_TO_2) {
                session.execute(change);
            }
        }
        for (String table : TABLES) {
            session.execute(table);
        }
        if (version == 1 || version == 2) {
            for (String change : FROM_2_TO_3) {
                session.execute(change);
            }
        }
        if (version >= 1 && version <= 3) {
            for (String change : FROM_3_TO_4) {
                session.execute(change);
            }
        }
        if (version == 1) {
            for (String change : THEN_FROM_1_TO_2) {
                session.execute(change);
            }
        }
        session.execute("DELETE FROM meta WHERE name = 'schema_version'");
        session.update("INSERT INTO meta (name, value) VALUES ('schema_version', ?)", Integer.toString(VERSION));
        session.commit();
        session.execute("CHECKPOINT");
    }

    /** The version of the tables that are there; 0: there are none. */
    private static int version(Session session) throws SQLException {
        boolean fresh = session.query(
                        "SELECT 1 FROM information_schema.tables WHERE table_name = 'meta'", Cells::integer)
                .isEmpty();
        if (fresh) {
            return 0;
        }
        List<String> versions = session.query("SELECT value FROM meta WHERE name = 'schema_version'", Cells::text);
        return versions.isEmpty() ? 0 : Integer.parseInt(versions.get(0));
    }

    private static String add(String table, String... columns) {
        return Stream.of(columns)
                .map(column -> "ALTER TABLE " + table + " ADD COLUMN IF NOT EXISTS " + column)
                .collect(Collectors.joining("; "));
    }

    /**
     * Appends to an empty temporary twin of a table. It is made anew each time, because rows deleted from a temporary
     * table keep their memory.
     */
    static Rows stage(Session session, String table) throws SQLException {
        session.execute(
                "CREATE OR REPLACE TEMPORARY TABLE staged_" + table + " AS SELECT * FROM " + table + " LIMIT 0");
        return session.appendTemporary("staged_" + table);
    }

    /** Deletes the rows whose {@code column} has one of the values. */
    static void delete(Session session, String table, String column, Collection<String> values) throws SQLException {
        if (values.isEmpty()) {
            return;
        }
        if (values.size() <= FEW) { // a group commit is mostly small, and a temporary table costs more than its query
            session.update(
                    "DELETE FROM " + table + " WHERE " + column + " IN (?" + ", ?".repeat(values.size() - 1) + ")",
                    values.toArray());
            return;
        }
        session.execute("CREATE OR REPLACE TEMPORARY TABLE staged_value (value VARCHAR NOT NULL)");
        try (Rows rows = session.appendTemporary("staged_value")) {
            for (String value : values) {
                rows.text(value).end();
            }
        }
        session.execute("DELETE FROM " + table + " WHERE " + column + " IN (SELECT value FROM staged_value)");
    }

    /** Replaces the rows that agree in {@code keys} with a staged one by the staged rows. */
    static void replace(Session session, String table, String... keys) throws SQLException {
        remove(session, table, keys);
        insert(session, table);
    }

    /** Removes the rows that agree in {@code keys} with a staged one. */
    static void remove(Session session, String table, String... keys) throws SQLException {
        StringBuilder same = new StringBuilder();
        for (String key : keys) {
            same.append(same.isEmpty() ? "" : " AND ")
                    .append("s.")
                    .append(key)
                    .append(" = ")
                    .append(table)
                    .append('.')
                    .append(key);
        }
        session.execute(
                "DELETE FROM " + table + " WHERE EXISTS (SELECT 1 FROM staged_" + table + " s WHERE " + same + ")");
    }

    /** Inserts the staged rows. */
    static void insert(Session session, String table) throws SQLException {
        session.execute("INSERT INTO " + table + " SELECT * FROM staged_" + table);
    }
}
