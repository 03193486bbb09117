package io.fairwatch.collector.report;

import io.fairwatch.collector.text.Plain;
import java.util.List;
import java.util.Locale;

/**
 * A chart of rectangles and texts. Written as SVG for browsers, and as boxes for the PDF, whose writer draws no SVG: both
 * show the same. What colours a class has is said by the page. Immutable.
 *
 * @param width in CSS pixels
 * @param height in CSS pixels
 * @param title what it shows, for those who cannot see it
 * @param shapes from back to front
 */
record Drawing(int width, int height, String title, List<Shape> shapes) {
    Drawing {
        shapes = List.copyOf(shapes);
    }

    sealed interface Shape {}

    /**
     * A rectangle.
     *
     * @param style its class
     * @param hint what a pointer above it tells; empty for none
     */
    record Box(double x, double y, double width, double height, String style, String hint) implements Shape {}

    /**
     * A line of text.
     *
     * @param x where it begins, ends or has its middle, by its side
     * @param y of its baseline
     * @param width most that it may take; the writer of boxes needs it
     */
    record Text(double x, double y, double width, Side side, String style, String text) implements Shape {}

    /** Which part of a text stands at its x. */
    enum Side {
        START,
        MIDDLE,
        END
    }

    String svg() {
        StringBuilder svg = new StringBuilder();
        svg.append("<svg class=\"chart\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 ")
                .append(width)
                .append(' ')
                .append(height)
                .append("\" width=\"")
                .append(width)
                .append("\" height=\"")
                .append(height)
                .append("\"><title>")
                .append(Plain.html(title))
                .append("</title>");
        for (Shape shape : shapes) {
            if (shape instanceof Box box) {
                svg.append("<rect class=\"")
                        .append(box.style())
                        .append("\" x=\"")
                        .append(number(box.x()))
                        .append("\" y=\"")
                        .append(number(box.y()))
                        .append("\" width=\"")
                        .append(number(box.width()))
                        .append("\" height=\"")
                        .append(number(box.height()));
                svg.append(box.hint().isEmpty() ? "\"/>" : "\"><title>" + Plain.html(box.hint()) + "</title></rect>");
            } else if (shape instanceof Text text) {
                svg.append("<text class=\"")
                        .append(text.style())
                        .append("\" x=\"")
                        .append(number(text.x()))
                        .append("\" y=\"")
                        .append(number(text.y()))
                        .append(
                                switch (text.side()) {
                                    case START -> "\">";
                                    case MIDDLE -> "\" text-anchor=\"middle\">";
                                    case END -> "\" text-anchor=\"end\">";
                                })
                        .append(Plain.html(text.text()))
                        .append("</text>");
            }
        }
        return svg.append("</svg>").toString();
    }

    String boxes() {
        StringBuilder html = new StringBuilder();
        html.append("<div class=\"boxes\" style=\"width:")
                .append(width)
                .append("px;height:")
                .append(height)
                .append("px\">");
        for (Shape shape : shapes) {
            if (shape instanceof Box box) {
                if (box.width() > 0 && box.height() > 0) {
                    html.append("<div class=\"box ")
                            .append(box.style())
                            .append("\" style=\"left:")
                            .append(number(box.x()))
                            .append("px;top:")
                            .append(number(box.y()))
                            .append("px;width:")
                            .append(number(box.width()))
                            .append("px;height:")
                            .append(number(box.height()))
                            .append("px\"></div>");
                }
            } else if (shape instanceof Text text) {
                double left =
                        switch (text.side()) {
                            case START -> text.x();
                            case MIDDLE -> text.x() - text.width() / 2;
                            case END -> text.x() - text.width();
                        };
                html.append("<div class=\"word ")
                        .append(text.style())
                        .append("\" style=\"left:")
                        .append(number(left))
                        .append("px;top:")
                        .append(number(text.y() - 11))
                        .append("px;width:")
                        .append(number(text.width()))
                        .append("px;text-align:")
                        .append(
                                switch (text.side()) {
                                    case START -> "left";
                                    case MIDDLE -> "center";
                                    case END -> "right";
                                })
                        .append("\">")
                        .append(Plain.html(text.text()))
                        .append("</div>");
            }
        }
        return html.append("</div>").toString();
    }

    private static String number(double value) {
        String text = String.format(Locale.ROOT, "%.2f", value);
        return text.contains(".") ? text.replaceFirst("\\.?0+$", "") : text;
    }
}
