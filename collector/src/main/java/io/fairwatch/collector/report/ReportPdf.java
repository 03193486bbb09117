package io.fairwatch.collector.report;

import com.openhtmltopdf.pdfboxout.PdfBoxRenderer;
import com.openhtmltopdf.pdfboxout.PdfRendererBuilder;
import com.openhtmltopdf.util.XRLog;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Instant;
import java.util.Calendar;
import java.util.GregorianCalendar;
import java.util.TimeZone;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDDocumentInformation;

/**
 * A report as PDF, made from its page. The same page makes the same bytes: dates are those of the period, and the
 * document's number follows from the page. Nothing is fetched from anywhere. Stateless.
 */
final class ReportPdf {
    private ReportPdf() {}

    static byte[] write(String page, String title, Instant date) throws IOException {
        XRLog.setLoggingEnabled(false); // it would tell each style sheet's time on standard error
        ByteArrayOutputStream out = new ByteArrayOutputStream(1 << 18);
        PdfRendererBuilder builder = new PdfRendererBuilder();
        builder.withHtmlContent(page, null);
        builder.useUriResolver((base, uri) -> uri.startsWith("#") ? uri : null); // links within, and nothing else
        builder.withProducer("Fairwatch");
        try (PDDocument document = new PDDocument()) {
            builder.usePDDocument(document);
            try (PdfBoxRenderer renderer = builder.buildPdfRenderer()) {
                renderer.createPDFWithoutClosing();
            }
            PDDocumentInformation information = new PDDocumentInformation();
            information.setTitle(title);
            information.setProducer("Fairwatch");
            Calendar calendar = new GregorianCalendar(TimeZone.getTimeZone("UTC"));
            calendar.setTimeInMillis(date.toEpochMilli());
            information.setCreationDate(calendar);
            information.setModificationDate(calendar);
            document.setDocumentInformation(information);
            document.setDocumentId((long) page.hashCode());
            document.save(out);
        }
        return out.toByteArray();
    }
}
