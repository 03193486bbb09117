-- The tables as schema 1 had them, with a row in most.
CREATE TABLE IF NOT EXISTS meta (
  name VARCHAR NOT NULL, value VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS node_reading (
  node VARCHAR NOT NULL, at_ms BIGINT NOT NULL, period_ms BIGINT NOT NULL,
  boot_id VARCHAR NOT NULL, sequence BIGINT NOT NULL,
  logical_cpus INTEGER, cpu_busy_ratio DOUBLE, memory_total_bytes BIGINT, memory_available_bytes BIGINT,
  load_average DOUBLE,
  agent_started_ms BIGINT NOT NULL, agent_dropped BIGINT NOT NULL, agent_cpu_seconds DOUBLE,
  agent_resident_bytes BIGINT);
CREATE TABLE IF NOT EXISTS gpu_reading (
  uuid VARCHAR NOT NULL, at_ms BIGINT NOT NULL, period_ms BIGINT NOT NULL, node VARCHAR NOT NULL,
  utilization_mean DOUBLE, utilization_max DOUBLE, utilization_last DOUBLE, utilization_samples INTEGER,
  utilization_source VARCHAR,
  memory_utilization_mean DOUBLE, memory_utilization_max DOUBLE, memory_utilization_last DOUBLE,
  memory_utilization_samples INTEGER, memory_utilization_source VARCHAR,
  memory_used_bytes BIGINT, memory_reserved_bytes BIGINT,
  power_watts DOUBLE, power_limit_watts DOUBLE, energy_joules DOUBLE,
  temperature_celsius DOUBLE, sm_clock_hertz DOUBLE, process_count INTEGER);
CREATE TABLE IF NOT EXISTS gpu_process (
  uuid VARCHAR NOT NULL, at_ms BIGINT NOT NULL, node VARCHAR NOT NULL, pid INTEGER NOT NULL,
  kind VARCHAR NOT NULL, uid INTEGER, job_id BIGINT, step VARCHAR, evidence VARCHAR,
  memory_used_bytes BIGINT, utilization_ratio DOUBLE);
CREATE TABLE IF NOT EXISTS job_reading (
  node VARCHAR NOT NULL, job_id BIGINT NOT NULL, at_ms BIGINT NOT NULL, period_ms BIGINT NOT NULL,
  sluid VARCHAR, uid INTEGER, processes INTEGER, cpu_seconds DOUBLE, memory_used_bytes BIGINT,
  memory_current_bytes BIGINT, memory_peak_bytes BIGINT, memory_limit_bytes BIGINT);
CREATE TABLE IF NOT EXISTS user_reading (
  node VARCHAR NOT NULL, at_ms BIGINT NOT NULL, period_ms BIGINT NOT NULL, uid INTEGER NOT NULL,
  user_name VARCHAR, processes INTEGER NOT NULL, processes_in_jobs INTEGER NOT NULL,
  cpu_seconds DOUBLE, resident_bytes BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS received (
  id VARCHAR NOT NULL, node VARCHAR NOT NULL, boot_id VARCHAR NOT NULL, first_sequence BIGINT NOT NULL,
  last_sequence BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS node (
  node VARCHAR NOT NULL, first_at_ms BIGINT NOT NULL, last_at_ms BIGINT NOT NULL,
  boot_id VARCHAR NOT NULL, sequence BIGINT NOT NULL, period_ms BIGINT NOT NULL,
  agent_version VARCHAR NOT NULL, state VARCHAR NOT NULL, scratch VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS gpu (
  uuid VARCHAR NOT NULL, node VARCHAR NOT NULL, last_at_ms BIGINT NOT NULL, nvml_index INTEGER NOT NULL,
  minor_number INTEGER, pci_bus_id VARCHAR, name VARCHAR NOT NULL, memory_total_bytes BIGINT);
CREATE TABLE IF NOT EXISTS run (
  cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL,
  array_job_id BIGINT, array_task_id BIGINT, het_job_id BIGINT, het_offset INTEGER,
  user_name VARCHAR NOT NULL, uid INTEGER, account VARCHAR NOT NULL, partition_name VARCHAR NOT NULL,
  qos VARCHAR NOT NULL, name VARCHAR NOT NULL, interactive BOOLEAN NOT NULL, submit_ms BIGINT NOT NULL,
  end_ms BIGINT, time_limit_ms BIGINT, suspended_ms BIGINT NOT NULL, state VARCHAR NOT NULL,
  state_text VARCHAR NOT NULL, nodes VARCHAR NOT NULL, cpus INTEGER, memory_bytes BIGINT, gpus INTEGER,
  tres VARCHAR NOT NULL, as_of_ms BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS run_gpu (
  cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL, place INTEGER NOT NULL,
  node VARCHAR NOT NULL, gres_index INTEGER NOT NULL, type VARCHAR, uuid VARCHAR,
  confidence VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS pending (
  place INTEGER NOT NULL, cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, display_id VARCHAR NOT NULL,
  user_name VARCHAR NOT NULL, uid INTEGER, account VARCHAR NOT NULL, partition_name VARCHAR NOT NULL,
  qos VARCHAR NOT NULL, name VARCHAR NOT NULL, submit_ms BIGINT NOT NULL, reason VARCHAR NOT NULL,
  request VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS slurm_node (
  place INTEGER NOT NULL, name VARCHAR NOT NULL, state VARCHAR NOT NULL, cpus INTEGER,
  memory_bytes BIGINT, gpus INTEGER, gres VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS finding (
  cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL, rule VARCHAR NOT NULL,
  since_ms BIGINT NOT NULL, state VARCHAR NOT NULL, last_seen_ms BIGINT NOT NULL, clear_since_ms BIGINT,
  told_ms BIGINT, user_name VARCHAR NOT NULL, summary VARCHAR NOT NULL, fix VARCHAR NOT NULL,
  evidence VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS notice (
  id VARCHAR NOT NULL, cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL,
  rule VARCHAR NOT NULL, since_ms BIGINT NOT NULL, user_name VARCHAR NOT NULL, address VARCHAR,
  state VARCHAR NOT NULL, created_ms BIGINT NOT NULL, changed_ms BIGINT NOT NULL,
  attempts INTEGER NOT NULL, detail VARCHAR NOT NULL);

INSERT INTO meta VALUES ('schema_version', '1'), ('accounting_until_ms', '1795003200000');
INSERT INTO node_reading VALUES ('node-a', 1795176030000, 30000, 'boot', 1, 96, NULL, 1024, 512, 11.5, 1795176000000, 0, 1.5, NULL);
INSERT INTO gpu_reading VALUES ('GPU-a', 1795176030000, 30000, 'node-a', 0.5, 0.75, 0.25, 178, 'RING', NULL, NULL, NULL, NULL, NULL, 1073741824, NULL, 300, 350, 1000, 61, 1.53e9, 1);
INSERT INTO gpu_process VALUES ('GPU-a', 1795176030000, 'node-a', 1, 'COMPUTE', 21001, 1, '0', 'CGROUP', 5, NULL);
INSERT INTO job_reading VALUES ('node-a', 1, 1795176030000, 30000, NULL, 21001, 3, 100, 1000, NULL, NULL, NULL);
INSERT INTO user_reading VALUES ('node-a', 1795176030000, 30000, 21001, 'tlj@its.aau.dk', 3, 3, 12.5, 4096);
INSERT INTO received VALUES ('node-a/boot/1', 'node-a', 'boot', 1, 1);
INSERT INTO node VALUES ('node-a', 1795176030000, 1795176030000, 'boot', 1, 30000, '0.1.0', '{"driver":"535.183.01","probes":{},"users":[]}', '[]');
INSERT INTO gpu VALUES ('GPU-a', 'node-a', 1795176030000, 0, 3, '00000000:34:00.0', 'V100', 34359738368);
INSERT INTO run VALUES ('lab', 1, 1795176000000, NULL, NULL, NULL, NULL, 'tlj@its.aau.dk', 21001, 'its', 'batch', 'normal', 'train', false, 1795175940000, NULL, 43200000, 5000, 'RUNNING', 'RUNNING', '["node-a"]', 4, NULL, 1, 'cpu=4,gres/gpu=1', 1795176001000);
INSERT INTO run_gpu VALUES ('lab', 1, 1795176000000, 0, 'node-a', 0, 'v100', 'GPU-a', 'CERTAIN');
INSERT INTO finding VALUES ('lab', 1, 1795176000000, 'idle-gpu', 1795176000000, 'FOUND', 1795176060000, NULL, NULL, 'tlj@its.aau.dk', 'Idle.', 'scancel 1', '{}');
INSERT INTO notice VALUES ('n1', 'lab', 1, 1795176000000, 'idle-gpu', 1795176000000, 'tlj@its.aau.dk', 'tlj@its.aau.dk', 'DELIVERED', 1795176060000, 1795176061000, 1, '');
