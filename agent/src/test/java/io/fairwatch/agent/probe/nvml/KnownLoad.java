package io.fairwatch.agent.probe.nvml;

import com.sun.jna.Function;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.PointerByReference;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/**
 * A GPU that is busy for a known time: one kernel that looks at the clock until its time is over. Through CUDA's driver
 * interface, which comes with the driver. Confined to one thread.
 */
final class KnownLoad {
    private static final String KERNEL = """
            .version 6.0
            .target sm_50
            .address_size 64
            .visible .entry spin(.param .u64 nanos)
            {
                .reg .pred %p<2>;
                .reg .b64 %rd<5>;
                ld.param.u64 %rd1, [nanos];
                mov.u64 %rd2, %globaltimer;
            AGAIN:
                mov.u64 %rd3, %globaltimer;
                sub.u64 %rd4, %rd3, %rd2;
                setp.lt.u64 %p1, %rd4, %rd1;
                @%p1 bra AGAIN;
                ret;
            }
            """;

    private final NativeLibrary cuda;
    private final Pointer kernel;

    /**
     * @param busId PCI bus id of the GPU
     * @throws UnsatisfiedLinkError if there is no CUDA driver
     * @throws IllegalStateException if a call fails
     */
    KnownLoad(String busId) {
        cuda = NativeLibrary.getInstance("libcuda.so.1");
        call("cuInit", 0);
        IntByReference device = new IntByReference();
        call("cuDeviceGetByPCIBusId", device, busId);
        PointerByReference context = new PointerByReference();
        call("cuDevicePrimaryCtxRetain", context, device.getValue());
        call("cuCtxSetCurrent", context.getValue());
        PointerByReference module = new PointerByReference();
        byte[] text = KERNEL.getBytes(StandardCharsets.US_ASCII);
        try (Memory image = new Memory(text.length + 1L)) {
            image.write(0, text, 0, text.length);
            image.setByte(text.length, (byte) 0);
            call("cuModuleLoadData", module, image);
        }
        PointerByReference function = new PointerByReference();
        call("cuModuleGetFunction", function, module.getValue(), "spin");
        kernel = function.getValue();
    }

    /** Keeps the GPU busy for so long, and returns afterwards. */
    void busy(Duration time) {
        try (Memory nanos = new Memory(8);
                Memory parameters = new Memory(Native.POINTER_SIZE)) {
            nanos.setLong(0, time.toNanos());
            parameters.setPointer(0, nanos);
            call("cuLaunchKernel", kernel, 1, 1, 1, 1, 1, 1, 0, Pointer.NULL, parameters, Pointer.NULL);
            call("cuCtxSynchronize");
        }
    }

    private void call(String name, Object... arguments) {
        Function function = cuda.getFunction(name);
        int error = function.invokeInt(arguments);
        if (error != 0) {
            throw new IllegalStateException(name + ": CUDA error " + error);
        }
    }
}
