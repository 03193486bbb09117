package io.fairwatch.fleet;

/** Numbers that look random and follow from others. */
final class Seeds {
    private Seeds() {}

    /** One number from two; neighbours give unlike ones. */
    static long mix(long a, long b) {
        long z = a * 0x9E3779B97F4A7C15L + b + 0x632BE59BD9B4E019L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    /** 0 to below 1. */
    static double ratio(long mixed) {
        return (mixed >>> 11) * 0x1.0p-53;
    }
}
