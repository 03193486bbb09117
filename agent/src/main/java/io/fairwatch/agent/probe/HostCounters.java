package io.fairwatch.agent.probe;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;

/**
 * The kernel's own counters of a node, for boards that were drawn for node_exporter. Read when they are asked for and not
 * otherwise; OSHI keeps only sums of what these boards want one by one, and costs ten times as much for disks and
 * networks. Immutable; blocks on {@code /proc}.
 */
public final class HostCounters {
    private static final List<String> MODES =
            List.of("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal");
    private static final int DISK_FIELDS = 14;
    private static final List<String> NFS3 =
            List.of(("Null GetAttr SetAttr Lookup Access ReadLink Read Write Create MkDir"
                            + " SymLink MkNod Remove RmDir Rename Link ReadDir ReadDirPlus FsStat FsInfo PathConf Commit")
                    .split(" ", -1));
    /** Of the client, as Linux counts them; later kernels add some at the end, which are left out. */
    private static final List<String> NFS4 = List.of(("Null Read Write Commit Open OpenConfirm OpenNoattr OpenDowngrade"
                    + " Close Setattr FsInfo Renew SetClientID SetClientIDConfirm Lock Lockt Locku Access Getattr Lookup"
                    + " LookupRoot Remove Rename Link Symlink Create Pathconf StatFs ReadLink ReadDir ServerCaps"
                    + " DelegReturn GetACL SetACL FsLocations ReleaseLockowner Secinfo FsidPresent ExchangeID"
                    + " CreateSession DestroySession Sequence GetLeaseTime ReclaimComplete LayoutGet GetDeviceInfo"
                    + " LayoutCommit LayoutReturn SecinfoNoName TestStateID FreeStateID GetDeviceList"
                    + " BindConnToSession DestroyClientID Seek Allocate DeAllocate LayoutStats Clone")
            .split(" ", -1));
    /** Memory, loops, parts of disks, and names that no device has. */
    private static final Pattern NOT_A_DISK = Pattern.compile(
            "(loop|z?ram|fd)\\d+|(sd|vd|xvd|hd)[a-z]+\\d+|(nvme\\d+n|mmcblk)\\d+p\\d+|.*[^A-Za-z0-9_.-].*");

    private final Path procRoot;
    private final Path sysRoot;

    /** Reads below {@code /proc} and {@code /sys}. */
    public HostCounters() {
        this(Path.of("/proc"), Path.of("/sys"));
    }

    HostCounters(Path procRoot, Path sysRoot) {
        this.procRoot = procRoot;
        this.sysRoot = sysRoot;
    }

    /**
     * One CPU's time in one mode since boot.
     *
     * @param cpu its number
     * @param mode e.g. {@code user}
     * @param seconds time
     */
    public record CpuTime(String cpu, String mode, double seconds) {}

    /**
     * One disk since boot.
     *
     * @param device e.g. {@code nvme0n1}
     * @param reads completed
     * @param readBytes read
     * @param readSeconds time that reads took, all together
     * @param writes completed
     * @param writtenBytes written
     * @param writeSeconds time that writes took, all together
     * @param inFlight requests that it has now
     * @param busySeconds time in which it had any
     * @param weightedSeconds that time by the number of requests
     */
    public record Disk(
            String device,
            double reads,
            double readBytes,
            double readSeconds,
            double writes,
            double writtenBytes,
            double writeSeconds,
            double inFlight,
            double busySeconds,
            double weightedSeconds) {}

    /**
     * One network interface since boot.
     *
     * @param device e.g. {@code eth0}
     * @param receivedBytes received
     * @param sentBytes sent
     */
    public record Network(String device, long receivedBytes, long sentBytes) {}

    /**
     * One port of an InfiniBand adapter since it was reset.
     *
     * @param device e.g. {@code mlx5_0}
     * @param port its number
     * @param receivedBytes received
     * @param sentBytes sent
     */
    public record InfiniBand(String device, String port, double receivedBytes, double sentBytes) {}

    /**
     * Requests of this node to NFS servers since boot.
     *
     * @param version of the protocol, {@code 3} or {@code 4}
     * @param method e.g. {@code GetAttr}
     * @param requests sent
     */
    public record NfsRequests(String version, String method, long requests) {}

    /** Ports of InfiniBand adapters; the kernel counts words of four bytes. Source: {@code /sys/class/infiniband}. */
    public List<InfiniBand> infiniBand() {
        List<InfiniBand> found = new ArrayList<>();
        Path devices = sysRoot.resolve("class/infiniband");
        for (String device : JobDirectories.children(devices)) {
            for (String port : JobDirectories.children(devices.resolve(device).resolve("ports"))) {
                Path counters =
                        devices.resolve(device).resolve("ports").resolve(port).resolve("counters");
                OptionalLong received = KernelFiles.readNumber(counters.resolve("port_rcv_data"));
                OptionalLong sent = KernelFiles.readNumber(counters.resolve("port_xmit_data"));
                if (received.isPresent() && sent.isPresent() && (device + port).matches("[A-Za-z0-9_.-]{1,64}")) {
                    found.add(new InfiniBand(device, port, 4.0 * received.getAsLong(), 4.0 * sent.getAsLong()));
                }
            }
        }
        return found;
    }

    /** What each CPU runs at, in hertz, by its number. Source: {@code scaling_cur_freq}. */
    public Map<String, Double> cpuFrequencies() {
        Map<String, Double> found = new LinkedHashMap<>();
        Path cpus = sysRoot.resolve("devices/system/cpu");
        for (String cpu : JobDirectories.children(cpus)) {
            if (cpu.matches("cpu\\d{1,5}")) {
                OptionalLong kilohertz = KernelFiles.readNumber(cpus.resolve(cpu + "/cpufreq/scaling_cur_freq"));
                if (kilohertz.isPresent()) {
                    found.put(cpu.substring(3), kilohertz.getAsLong() * 1e3);
                }
            }
        }
        return found;
    }

    /** Requests to NFS servers by method. Source: {@code /proc/net/rpc/nfs}. */
    public List<NfsRequests> nfs() {
        return parseNfs(text("net/rpc/nfs"));
    }

    /** Time of each CPU in each mode. Source: {@code /proc/stat}. */
    public List<CpuTime> cpus() {
        return parseCpus(text("stat"));
    }

    /** Kinds of memory by the kernel's names, in bytes. Source: {@code /proc/meminfo}. */
    public Map<String, Long> memory() {
        return parseMemory(text("meminfo"));
    }

    /** Whole disks. Source: {@code /proc/diskstats}. */
    public List<Disk> disks() {
        return parseDisks(text("diskstats"));
    }

    /** Interfaces without loopback. Source: {@code /proc/net/dev}. */
    public List<Network> networks() {
        return parseNetworks(text("net/dev"));
    }

    /** Load averages over 1, 5 and 15 minutes; empty if unreadable. Source: {@code /proc/loadavg}. */
    public List<Double> loads() {
        return parseLoads(text("loadavg"));
    }

    private String text(String name) {
        return KernelFiles.readText(procRoot.resolve(name)).orElse("");
    }

    /** {@code proc3 22 0 4711 ...}: how many numbers follow, then one for each method in the protocol's order. */
    static List<NfsRequests> parseNfs(String rpc) {
        List<NfsRequests> requests = new ArrayList<>();
        for (String line : rpc.split("\n", -1)) {
            String[] fields = line.strip().split(" +", -1);
            List<String> methods =
                    switch (fields[0]) {
                        case "proc3" -> NFS3;
                        case "proc4" -> NFS4;
                        default -> List.of();
                    };
            for (int i = 0; i < methods.size() && i + 2 < fields.length; i++) {
                OptionalLong count = KernelFiles.parseNumber(fields[i + 2]);
                if (count.isPresent()) {
                    requests.add(new NfsRequests(fields[0].substring(4), methods.get(i), count.getAsLong()));
                }
            }
        }
        return requests;
    }

    /** {@code cpu0 4705 150 1120 16250 520 0 175 0 0 0}; guests are counted in user already. */
    static List<CpuTime> parseCpus(String stat) {
        List<CpuTime> times = new ArrayList<>();
        for (String line : stat.split("\n", -1)) {
            String[] fields = line.split(" +", -1);
            if (!fields[0].matches("cpu\\d{1,5}")) {
                continue;
            }
            for (int i = 0; i < MODES.size() && i + 1 < fields.length; i++) {
                OptionalLong ticks = KernelFiles.parseNumber(fields[i + 1]);
                if (ticks.isPresent()) {
                    times.add(new CpuTime(
                            fields[0].substring(3), MODES.get(i), ticks.getAsLong() / ProcStat.TICKS_PER_SECOND));
                }
            }
        }
        return times;
    }

    /** {@code MemTotal:       24676920 kB}; {@code Active(anon):} becomes {@code Active_anon}. */
    static Map<String, Long> parseMemory(String meminfo) {
        Map<String, Long> kinds = new LinkedHashMap<>();
        for (String line : meminfo.split("\n", -1)) {
            String[] parts = line.split(":", 2);
            String[] words = parts.length < 2 ? new String[0] : parts[1].strip().split(" +", -1);
            OptionalLong value = words.length == 0 ? OptionalLong.empty() : KernelFiles.parseNumber(words[0]);
            if (value.isPresent() && parts[0].matches("[A-Za-z0-9_()]{1,40}")) {
                boolean kilo = words.length > 1 && words[1].equals("kB");
                kinds.put(parts[0].replace("(", "_").replace(")", ""), value.getAsLong() * (kilo ? 1024 : 1));
            }
        }
        return kinds;
    }

    /** {@code 259 0 nvme0n1 101 2 808 33 44 5 352 6 0 77 39 0 0 0 0}; sectors are of 512 bytes whatever the device's. */
    static List<Disk> parseDisks(String diskstats) {
        List<Disk> disks = new ArrayList<>();
        for (String line : diskstats.split("\n", -1)) {
            String[] fields = line.strip().split(" +", -1);
            if (fields.length < DISK_FIELDS || NOT_A_DISK.matcher(fields[2]).matches()) {
                continue; // parts of disks are counted with them
            }
            double[] n = new double[DISK_FIELDS];
            boolean whole = true;
            for (int i = 3; i < DISK_FIELDS; i++) {
                OptionalLong number = KernelFiles.parseNumber(fields[i]);
                whole &= number.isPresent();
                n[i] = number.orElse(0);
            }
            if (whole) {
                disks.add(new Disk(
                        fields[2],
                        n[3],
                        512 * n[5],
                        n[6] / 1e3,
                        n[7],
                        512 * n[9],
                        n[10] / 1e3,
                        n[11],
                        n[12] / 1e3,
                        n[13] / 1e3));
            }
        }
        return disks;
    }

    /** {@code   eth0: 1296 16 0 0 0 0 0 0 1296 16 ...}: received bytes first, sent bytes ninth. */
    static List<Network> parseNetworks(String dev) {
        List<Network> networks = new ArrayList<>();
        for (String line : dev.split("\n", -1)) {
            String[] parts = line.split(":", 2);
            String name = parts[0].strip();
            String[] fields =
                    parts.length < 2 ? new String[0] : parts[1].strip().split(" +", -1);
            if (fields.length < 9 || name.equals("lo") || !name.matches("[A-Za-z0-9_.@-]{1,15}")) {
                continue;
            }
            OptionalLong received = KernelFiles.parseNumber(fields[0]);
            OptionalLong sent = KernelFiles.parseNumber(fields[8]);
            if (received.isPresent() && sent.isPresent()) {
                networks.add(new Network(name, received.getAsLong(), sent.getAsLong()));
            }
        }
        return networks;
    }

    /** {@code 0.20 0.18 0.12 1/80 11206}. */
    static List<Double> parseLoads(String loadavg) {
        List<Double> loads = new ArrayList<>();
        for (String word : Optional.of(loadavg.strip().split(" ", -1))
                .filter(w -> w.length >= 3)
                .orElse(new String[0])) {
            if (loads.size() < 3 && word.matches("\\d{1,6}\\.\\d{1,4}")) {
                loads.add(Double.parseDouble(word));
            }
        }
        return loads.size() == 3 ? loads : List.of();
    }
}
