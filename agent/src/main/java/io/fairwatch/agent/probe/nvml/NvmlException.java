package io.fairwatch.agent.probe.nvml;

/** NVML answered a call with something other than success. Has no stack trace: on some GPUs it is an everyday answer. */
final class NvmlException extends Exception {
    static final int UNINITIALIZED = 1;
    static final int INVALID_ARGUMENT = 2;
    static final int NOT_SUPPORTED = 3;
    static final int NO_PERMISSION = 4;
    static final int NOT_FOUND = 6;
    static final int INSUFFICIENT_SIZE = 7;
    static final int DRIVER_NOT_LOADED = 9;
    static final int TIMEOUT = 10;
    static final int LIBRARY_NOT_FOUND = 12;
    static final int FUNCTION_NOT_FOUND = 13;
    static final int GPU_IS_LOST = 15;
    static final int RESET_REQUIRED = 16;
    static final int LIBRARY_MISMATCH = 18;

    /** Not one of NVML's: the driver counts no GPU. */
    static final int NO_DEVICES = -1;

    private final int code;

    NvmlException(String call, int code) {
        this(call, code, words(code));
    }

    NvmlException(String call, int code, String words) {
        super(call + ": " + words + " (" + code + ")", null, false, false);
        this.code = code;
    }

    int code() {
        return code;
    }

    /** This device will not answer this call however often it is asked. */
    boolean isForGood() {
        return code == NOT_SUPPORTED || code == FUNCTION_NOT_FOUND || code == NO_PERMISSION;
    }

    /** Nothing more can be asked of this device. */
    boolean losesDevice() {
        return code == GPU_IS_LOST || code == RESET_REQUIRED;
    }

    /** Nothing more can be asked of any device before the library is opened anew. */
    boolean endsSession() {
        return code == UNINITIALIZED || code == DRIVER_NOT_LOADED || code == LIBRARY_MISMATCH;
    }

    /** There is no driver on this node, which is nothing wrong. */
    boolean isNoDriver() {
        return code == DRIVER_NOT_LOADED || code == LIBRARY_NOT_FOUND;
    }

    private static String words(int code) {
        return switch (code) {
            case UNINITIALIZED -> "not initialised";
            case INVALID_ARGUMENT -> "invalid argument";
            case NOT_SUPPORTED -> "not supported";
            case NO_PERMISSION -> "no permission";
            case NOT_FOUND -> "not found";
            case INSUFFICIENT_SIZE -> "buffer too small";
            case DRIVER_NOT_LOADED -> "the driver is not loaded";
            case TIMEOUT -> "timed out inside the driver";
            case LIBRARY_NOT_FOUND -> "the library cannot be loaded";
            case FUNCTION_NOT_FOUND -> "the library has no such function";
            case GPU_IS_LOST -> "the GPU is lost";
            case RESET_REQUIRED -> "the GPU needs a reset";
            case LIBRARY_MISMATCH -> "the library does not match the loaded driver";
            case NO_DEVICES -> "the driver counts none";
            default -> "error";
        };
    }
}
