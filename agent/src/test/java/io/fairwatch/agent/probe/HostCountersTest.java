package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.agent.probe.HostCounters.CpuTime;
import io.fairwatch.agent.probe.HostCounters.Disk;
import io.fairwatch.agent.probe.HostCounters.InfiniBand;
import io.fairwatch.agent.probe.HostCounters.Network;
import io.fairwatch.agent.probe.HostCounters.NfsRequests;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostCountersTest {
    @Test
    @DisplayName("CPU time is told per CPU and mode, the sum of all and guests left out")
    void cpus() {
        List<CpuTime> times = HostCounters.parseCpus(
                "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 100 200 300 400 500 600 700 800 900 0\nintr 5\n");
        assertEquals(8, times.size());
        assertEquals(new CpuTime("0", "user", 1.0), times.get(0));
        assertEquals(new CpuTime("0", "steal", 8.0), times.get(7));
    }

    @Test
    @DisplayName("memory is in bytes under the kernel's names")
    void memory() {
        assertEquals(
                Map.of("MemTotal", 2048L, "Active_anon", 1024L, "HugePages_Total", 3L),
                HostCounters.parseMemory(
                        "MemTotal:       2 kB\nActive(anon): 1 kB\nHugePages_Total:       3\nbad\nX Y: 1\n"));
    }

    @Test
    @DisplayName("whole disks are told, not their parts and not loops")
    void disks() {
        String line = " 1 2 8 4 5 6 16 7 0 2500 9 0 0 0 0\n";
        assertEquals(
                List.of(
                        new Disk("nvme0n1", 1, 4096, 0.004, 5, 8192, 0.007, 0, 2.5, 0.009),
                        new Disk("md127", 1, 4096, 0.004, 5, 8192, 0.007, 0, 2.5, 0.009)),
                HostCounters.parseDisks("259 0 nvme0n1" + line + "259 1 nvme0n1p1" + line + "7 0 loop0" + line
                        + "8 1 sda1" + line + "9 127 md127" + line + "broken\n"));
    }

    @Test
    @DisplayName("interfaces are told without loopback")
    void networks() {
        assertEquals(List.of(new Network("ib0", 1296, 77)), HostCounters.parseNetworks("""
                        Inter-|   Receive |
                         face |bytes
                            lo: 1 1 0 0 0 0 0 0 1 1
                           ib0: 1296 16 0 0 0 0 0 0 77 16 0 0 0 0 0 0
                        """));
    }

    @Test
    @DisplayName("InfiniBand ports tell bytes, CPUs what they run at; what cannot be read is left out")
    void sys(@TempDir Path sys) throws Exception {
        Path counters = Files.createDirectories(sys.resolve("class/infiniband/mlx5_0/ports/1/counters"));
        Files.writeString(counters.resolve("port_rcv_data"), "1000\n");
        Files.writeString(counters.resolve("port_xmit_data"), "25\n");
        Files.createDirectories(sys.resolve("class/infiniband/mlx5_1/ports/1/counters"));
        Path frequency = Files.createDirectories(sys.resolve("devices/system/cpu/cpu7/cpufreq"));
        Files.writeString(frequency.resolve("scaling_cur_freq"), "2400000\n");
        Files.createDirectories(sys.resolve("devices/system/cpu/cpuidle"));
        HostCounters host = new HostCounters(sys, sys);
        assertEquals(List.of(new InfiniBand("mlx5_0", "1", 4000, 100)), host.infiniBand());
        assertEquals(Map.of("7", 2.4e9), host.cpuFrequencies());
        assertEquals(List.of(), host.nfs());
    }

    @Test
    @DisplayName("requests to NFS servers have the protocol's names; methods of later kernels have none")
    void nfs() {
        List<NfsRequests> requests = HostCounters.parseNfs(
                "net 0 0 0 0\nrpc 1 0 0\nproc3 22 0 5 0 7\nproc4 61 " + "1 ".repeat(61) + "\nproc2 18 1 1\nbad\n");
        assertEquals(new NfsRequests("3", "GetAttr", 5), requests.get(1));
        assertEquals(new NfsRequests("3", "Lookup", 7), requests.get(3));
        assertEquals(new NfsRequests("4", "Null", 1), requests.get(4));
        assertEquals(new NfsRequests("4", "Clone", 1), requests.get(requests.size() - 1));
        assertEquals(4 + 59, requests.size());
    }

    @Test
    @DisplayName("load averages are three or none")
    void loads() {
        assertEquals(List.of(0.2, 0.18, 0.12), HostCounters.parseLoads("0.20 0.18 0.12 1/80 11206\n"));
        assertEquals(List.of(), HostCounters.parseLoads("0.20 x\n"));
        assertEquals(List.of(), HostCounters.parseLoads(""));
    }
}
