package io.fairwatch.agent.wire;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdScalarSerializer;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.zip.Deflater;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/** Snapshots to bytes and back. Immutable, thread-safe. */
public final class WireCodec {
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .addModule(new Jdk8Module())
            .addModule(new JavaTimeModule())
            .addModule(new SimpleModule()
                    .addSerializer(Double.class, new Rounded())
                    .addSerializer(double.class, new Rounded())
                    .addSerializer(OptionalDouble.class, new RoundedOptional()))
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .defaultPropertyInclusion(
                    JsonInclude.Value.construct(JsonInclude.Include.NON_ABSENT, JsonInclude.Include.ALWAYS))
            .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS, SerializationFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
            .enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(
                    DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES,
                    DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
            .build();

    private static final double EXACT_BELOW = 1e6;
    private static final double FEW_DIGITS = 1e4;
    private static final double FEWER_DIGITS = 1e2;
    private static final double LARGEST_WHOLE = 1L << 53;

    /** To look harder for repeats takes half as long again, and saves 4 %. */
    private static final int LEVEL = 5;

    private final ObjectWriter writer = MAPPER.writerFor(NodeSnapshot.class);
    private final ObjectReader reader = MAPPER.readerFor(NodeSnapshot.class);
    private final ObjectReader answerReader = MAPPER.readerFor(StoredAnswer.class);
    private final ObjectWriter answerWriter = MAPPER.writerFor(StoredAnswer.class);

    /** One snapshot as a gzip member that holds one line of JSON, ready for the spool. */
    public byte[] pack(NodeSnapshot snapshot) {
        return pack(snapshot, LEVEL);
    }

    /**
     * As {@link #pack(NodeSnapshot)}, for a sender that plays many nodes and has no time to pack tightly.
     *
     * @param level as {@link Deflater} counts: 1 is quickest, 9 smallest
     */
    public byte[] pack(NodeSnapshot snapshot, int level) {
        ByteArrayOutputStream packed = new ByteArrayOutputStream(4 * 1024);
        try (OutputStream gzip = new Gzip(packed, level)) {
            gzip.write(writer.writeValueAsBytes(snapshot));
            gzip.write('\n');
        } catch (IOException e) {
            throw new UncheckedIOException(e); // memory does not fail; a record that Jackson cannot write is our bug
        }
        return packed.toByteArray();
    }

    /** One snapshot as JSON for people. */
    public String pretty(NodeSnapshot snapshot) {
        try {
            return writer.withDefaultPrettyPrinter().writeValueAsString(snapshot);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Reads what {@link #pack} wrote, any number of members one after another.
     *
     * @param mostBytes how large the unpacked text may be; a larger one is refused, never unpacked whole
     * @throws WireException if it is not gzip, too large, not JSON, or not a snapshot; names the line and what was wrong
     */
    public List<NodeSnapshot> unpack(byte[] packed, long mostBytes) throws WireException {
        byte[] text = unzip(packed, mostBytes);
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int from = 0; from < text.length; ) {
            int to = from;
            boolean blank = true;
            while (to < text.length && text[to] != '\n') {
                blank &= text[to] <= ' ' && text[to] >= 0;
                to++;
            }
            if (!blank) {
                int begin = from;
                int length = to - from;
                snapshots.add(parse(() -> reader.readValue(text, begin, length), snapshots.size() + 1));
            }
            from = to + 1;
        }
        return snapshots;
    }

    private static byte[] unzip(byte[] packed, long mostBytes) throws WireException {
        try (InputStream unzipped =
                new Bounded(new GZIPInputStream(new ByteArrayInputStream(packed), 8 * 1024), mostBytes)) {
            return unzipped.readAllBytes();
        } catch (TooLargeException e) {
            throw new WireException("batch: more than " + mostBytes + " bytes unpacked (expected: at most that)", e);
        } catch (IOException e) {
            throw new WireException("batch: not gzip (" + e.getMessage() + ")", e);
        }
    }

    /** The collector's answer as JSON. */
    public byte[] write(StoredAnswer answer) {
        try {
            return answerWriter.writeValueAsBytes(answer);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads the collector's answer. */
    public StoredAnswer parseAnswer(String json) throws WireException {
        try {
            return answerReader.readValue(json);
        } catch (IOException e) {
            throw new WireException("answer: " + firstLine(e), e);
        }
    }

    private static String firstLine(IOException e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    }

    /** Reads one snapshot from JSON, e.g. an example message. */
    public NodeSnapshot parse(String json) throws WireException {
        return parse(() -> reader.readValue(json), 1);
    }

    private interface Parsing {
        NodeSnapshot parse() throws IOException;
    }

    private static NodeSnapshot parse(Parsing parsing, int number) throws WireException {
        try {
            return parsing.parse();
        } catch (JsonMappingException e) {
            String why = e.getCause() instanceof IllegalArgumentException cause
                    ? cause.getMessage()
                    : e.getOriginalMessage();
            throw new WireException("snapshot " + number + ": " + path(e) + why, e);
        } catch (JsonProcessingException e) {
            throw new WireException("snapshot " + number + ": not JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) { // what is not UTF-8
            throw new WireException("snapshot " + number + ": not JSON: " + firstLine(e), e);
        }
    }

    private static String path(JsonMappingException e) {
        StringBuilder path = new StringBuilder();
        e.getPath().forEach(step -> path.append(path.isEmpty() ? "" : ".")
                .append(step.getFieldName() != null ? step.getFieldName() : String.valueOf(step.getIndex())));
        return path.isEmpty() ? "" : path + ": ";
    }

    /** Gzip for ragged numbers: looks for fewer, longer repeats, which saves 11 % of a large snapshot. */
    private static final class Gzip extends GZIPOutputStream {
        Gzip(OutputStream out, int level) throws IOException {
            super(out);
            def.setLevel(level);
            def.setStrategy(Deflater.FILTERED);
        }
    }

    /** Leaves away digits that nothing measures. */
    static double round(double value) {
        double scale = Math.abs(value) < EXACT_BELOW ? FEW_DIGITS : FEWER_DIGITS;
        double scaled = Math.rint(value * scale);
        return Math.abs(scaled) < LARGEST_WHOLE ? scaled / scale : value;
    }

    private static final class Rounded extends StdScalarSerializer<Double> {
        Rounded() {
            super(Double.class);
        }

        @Override
        public void serialize(Double value, JsonGenerator json, SerializerProvider provider) throws IOException {
            json.writeNumber(round(value));
        }
    }

    private static final class RoundedOptional extends StdScalarSerializer<OptionalDouble> {
        RoundedOptional() {
            super(OptionalDouble.class);
        }

        @Override
        public boolean isEmpty(SerializerProvider provider, OptionalDouble value) {
            return value.isEmpty();
        }

        @Override
        public void serialize(OptionalDouble value, JsonGenerator json, SerializerProvider provider)
                throws IOException {
            if (value.isPresent()) {
                json.writeNumber(round(value.getAsDouble()));
            } else {
                json.writeNull();
            }
        }
    }

    private static final class TooLargeException extends IOException {}

    /** Stops a small packed message from becoming an endless one. */
    private static final class Bounded extends FilterInputStream {
        private long left;

        Bounded(InputStream in, long most) {
            super(in);
            this.left = most;
        }

        @Override
        public int read() throws IOException {
            int b = super.read();
            return b < 0 ? b : counted(b, 1);
        }

        @Override
        public int read(byte[] buffer, int offset, int length) throws IOException {
            int n = super.read(buffer, offset, length);
            return n < 0 ? n : counted(n, n);
        }

        private int counted(int result, int n) throws TooLargeException {
            left -= n;
            if (left < 0) {
                throw new TooLargeException();
            }
            return result;
        }
    }

    /** What arrived is not a batch of snapshots; the message says why, fit for the sender. */
    public static final class WireException extends Exception {
        public WireException(String message, Throwable cause) {
            super(message, cause);
        }

        public WireException(String message) {
            super(message);
        }
    }
}
