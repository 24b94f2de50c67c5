package io.berth.runtime.cli;

import io.berth.admin.v1.PullLayer;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Shows how far a pull is: a bar for each layer on a terminal, else a line when a layer's state changes. */
final class PullDisplay {
    private static final int BAR_WIDTH = 30;

    private final PrintWriter out;
    private final boolean terminal;
    private final List<PullLayer.State> shown = new ArrayList<>();

    PullDisplay(PrintWriter out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    void update(List<PullLayer> layers) {
        if (terminal) {
            repaint(layers);
        } else {
            changes(layers);
        }
        out.flush();
    }

    private void repaint(List<PullLayer> layers) {
        if (!shown.isEmpty()) {
            out.printf("\u001b[%dA\u001b[J", shown.size());
        }
        shown.clear();
        for (PullLayer layer : layers) {
            shown.add(layer.getState());
            out.println(ImagePrinter.shortId(layer.getDigest()) + " " + bar(layer) + " " + words(layer));
        }
    }

    private void changes(List<PullLayer> layers) {
        for (int i = 0; i < layers.size(); i++) {
            PullLayer layer = layers.get(i);
            boolean first = i >= shown.size();
            if (first) {
                shown.add(layer.getState());
            }
            if ((first && layer.getState() != PullLayer.State.WAITING) || shown.get(i) != layer.getState()) {
                shown.set(i, layer.getState());
                out.println(ImagePrinter.shortId(layer.getDigest()) + " " + words(layer));
            }
        }
    }

    private static String bar(PullLayer layer) {
        boolean done = layer.getState() == PullLayer.State.UNPACKED
                || layer.getState() == PullLayer.State.SHARED;
        long size = Math.max(1, layer.getSizeBytes());
        int filled = done
                ? BAR_WIDTH
                : Math.clamp(layer.getReceivedBytes() * BAR_WIDTH / size, 0, BAR_WIDTH);
        return "[" + "#".repeat(filled) + " ".repeat(BAR_WIDTH - filled) + "]";
    }

    private static String words(PullLayer layer) {
        String size = ImagePrinter.size(layer.getSizeBytes());
        return switch (layer.getState()) {
            case WAITING -> "waits, " + size;
            case FETCHING -> ImagePrinter.size(layer.getReceivedBytes()) + " of " + size;
            case UNPACKED -> "unpacked, " + size;
            case SHARED -> "shared, " + size;
            case UNRECOGNIZED -> size;
        };
    }
}
