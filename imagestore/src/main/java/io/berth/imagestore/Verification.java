package io.berth.imagestore;

import java.util.List;

/**
 * How an image on disk compares with what was recorded when it was unpacked.
 *
 * @param layers base first, each once
 */
public record Verification(String imageId, List<LayerResult> layers) {
    public Verification {
        layers = List.copyOf(layers);
    }

    /** What became of a layer. */
    public enum Outcome {
        /** Every file is as recorded. */
        CLEAN,
        /** It differs, and was left so. */
        DAMAGED,
        /** It was unpacked by a Berth that made no records: nothing is known of its files. */
        NOT_RECORDED,
        /** It differed or was not recorded, and was fetched again. */
        REPAIRED,
        /** It differs, and could not be fetched again. */
        NOT_REPAIRED
    }

    /**
     * One layer.
     *
     * @param files that were compared
     * @param bytes of content that were read
     * @param differences that were found
     * @param note why a repair failed, or which snapshots go on with the damaged files; empty where there is nothing to say
     */
    public record LayerResult(String diffId, Outcome outcome, long files, long bytes, long differences,
            String note) {}

    /** Hears of a verification while it runs, from one thread. */
    public interface Listener {
        /** A layer's turn. */
        void layer(String imageId, String diffId);

        /**
         * A difference.
         *
         * @param line for people, the path first
         */
        void difference(String diffId, String line);
    }

    /** Whether every layer is as recorded, now. */
    public boolean isClean() {
        return layers.stream().allMatch(
                layer -> layer.outcome() == Outcome.CLEAN || layer.outcome() == Outcome.REPAIRED);
    }
}
