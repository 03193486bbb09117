/**
 * Reads NVIDIA GPUs through NVML, the management library that comes with the driver.
 *
 * <p>{@link io.fairwatch.agent.probe.nvml.NvmlGpuProbe} keeps one session with the driver and asks {@code Gpu} by
 * {@code Gpu}, each with its {@code Instance}s; {@code Nvml} is the seam beneath it, with {@code NvmlLibrary} (JNA)
 * behind it and a fake in tests. {@link io.fairwatch.agent.probe.nvml.NvmlInspection} asks everything once and says how
 * it was answered, which is what to look at where a reading is absent.
 *
 * <ul>
 *   <li><b>True means.</b> A single look at the utilisation aliases: a job that computes every other second looks fully
 *       busy or idle. The driver keeps a ring of some 100 samples at 1/6 s, that is 16 s. It is emptied every 10 s at
 *       most. Its timestamps count from an epoch that differs between drivers, so they are compared with each other
 *       only. Idle GPUs may have an empty ring, MIG has none: then single looks are taken and marked so. Each stretch
 *       between two looks weighs as long as it lasted.
 *   <li><b>Counters (GPM)</b> of Hopper and later are looked at once per period; what lies between two looks is the mean
 *       of the whole period. The look before is kept, and forgotten when the session or the instance is another one, or
 *       when a look failed. They are the only activity that MIG instances have; where compute instances share a GPU
 *       instance nobody knows whose it is, so it is absent. PCIe and NVLink traffic comes from them too, on older
 *       products from counters. {@code nvmlDeviceGetPcieThroughput} measures for 20 ms inside the call and is not used.
 *   <li><b>MIG.</b> Instances are looked for at each reading, since their handles die when an administrator cuts the GPU
 *       anew; one is the same as long as uuid and handle are. The GPU itself is then not asked for utilisation, memory
 *       or processes, so that nothing is counted twice, and a record that names another instance is not believed.
 *   <li><b>XIDs</b> are told only to those who wait, so one thread waits, five seconds at a time, or half a probe's
 *       deadline where that is less. It ends with the session,
 *       before the library is unloaded; if it does not come back from the driver, neither is the library unloaded nor
 *       another one opened until it does. A lost GPU is left out, but for its XIDs, which say why.
 *   <li><b>Every function is optional.</b> Drivers from R418 on differ in what they export. Direct mapping binds a whole
 *       class or nothing, so a missing function is bound to one that exists and never called.
 *   <li><b>Record sizes are measured.</b> {@code nvmlDeviceGetComputeRunningProcesses_v3} wrote records of 24, then 32,
 *       then again 24 bytes under one name. The buffer is filled with a pattern first; what was overwritten tells.
 *   <li><b>One session.</b> {@code nvmlInit} costs seconds without persistence mode and leaks on some drivers, so it is
 *       called once, and again only after the driver said that the session is over, or every few minutes while there is
 *       no driver, no GPU, or a GPU is lost. The library is unloaded in between, because another driver comes with
 *       another library.
 *   <li><b>Errors</b> are per call: the reading is absent. A call that is not supported is not made again in this
 *       session, or until MIG is switched. A lost GPU is left out, the others stay.
 *   <li><b>Hangs</b> happen inside the driver and cannot be interrupted. Whoever calls the probe must be able to leave
 *       it behind: the sampler's lanes do, and send nobody else in until the call returns.
 * </ul>
 *
 * <p>NVML takes the driver's lock, which jobs need too, and a list of processes costs milliseconds. So few calls are
 * made; per GPU and period of 30 s, as counted with simulated GPUs:
 *
 * <table>
 * <caption>Calls</caption>
 * <tr><th>what</th><th>calls</th></tr>
 * <tr><td>three times: two rings and shares of processes</td><td>9</td></tr>
 * <tr><td>memory, power, temperature, two clocks, clock limits</td><td>6</td></tr>
 * <tr><td>fan, where there is one</td><td>1</td></tr>
 * <tr><td>energy, memory temperature and counters of traffic, in one batch; every five minutes, at another time for each
 *     GPU, errors and replaced memory in the same batch, and the power limit</td><td>1.1</td></tr>
 * <tr><td>compute processes</td><td>1</td></tr>
 * <tr><td>graphics and MPS processes: at every fourth reading, or while there are any, or when somebody works whom the
 *     first list does not name</td><td>0.5</td></tr>
 * <tr><td>MIG mode, Ampere and later</td><td>1</td></tr>
 * <tr><td>counters, Hopper and later</td><td>2</td></tr>
 * <tr><td>each MIG instance, instead of rings, memory and processes of its GPU: handle, uuid, memory, 1.5 lists, counters
 *     </td><td>6.5</td></tr>
 * </table>
 *
 * <p>That is 18 for a V100, 19 for an A100, 21 for an H100 and 40 for one in seven instances. The GPUs are asked one after
 * another, not spread over the period: each wake-up would cost the node more than it spares the driver, and processes
 * should be listed when {@code /proc} was just read.
 */
@NullMarked
package io.fairwatch.agent.probe.nvml;

import org.jspecify.annotations.NullMarked;
