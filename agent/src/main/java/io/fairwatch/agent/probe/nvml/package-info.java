/**
 * Reads NVIDIA GPUs through NVML, the management library that comes with the driver.
 *
 * <p>{@link io.fairwatch.agent.probe.nvml.NvmlGpuProbe} keeps one session with the driver and asks {@code Gpu} by
 * {@code Gpu}; {@code Nvml} is the seam beneath it, with {@code NvmlLibrary} (JNA) behind it and a fake in tests.
 *
 * <ul>
 *   <li><b>True means.</b> A single look at the utilisation aliases: a job that computes every other second looks fully
 *       busy or idle. The driver keeps a ring of some 100 samples at 1/6 s, that is 16 s. It is emptied every 10 s at
 *       most. Its timestamps count from an epoch that differs between drivers, so they are compared with each other
 *       only. Idle GPUs may have an empty ring, MIG has none: then single looks are taken and marked so. Each stretch
 *       between two looks weighs as long as it lasted.
 *   <li><b>Every function is optional.</b> Drivers from R418 on differ in what they export. Direct mapping binds a whole
 *       class or nothing, so a missing function is bound to one that exists and never called.
 *   <li><b>Record sizes are measured.</b> {@code nvmlDeviceGetComputeRunningProcesses_v3} wrote records of 24, then 32,
 *       then again 24 bytes under one name. The buffer is filled with a pattern first; what was overwritten tells.
 *   <li><b>One session.</b> {@code nvmlInit} costs seconds without persistence mode and leaks on some drivers, so it is
 *       called once, and again only after the driver said that the session is over, or every few minutes while there is
 *       no driver or a GPU is lost.
 *   <li><b>Errors</b> are per call: the reading is absent. A call that is not supported is not made again in this
 *       session. A lost GPU is left out, the others stay.
 *   <li><b>Hangs</b> happen inside the driver and cannot be interrupted. Whoever calls the probe must be able to leave
 *       it behind: the sampler's lanes do.
 * </ul>
 */
@NullMarked
package io.fairwatch.agent.probe.nvml;

import org.jspecify.annotations.NullMarked;
