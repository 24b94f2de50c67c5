package io.berth.imagestore.store;

import io.berth.imagestore.ImageTools.LayerProgress;
import io.berth.imagestore.registry.Descriptor;
import org.jspecify.annotations.Nullable;

/**
 * A layer of a pull under way.
 *
 * @param task that this pull feeds; null where the layer is here or another pull fetches it
 */
record PulledLayer(Descriptor blob, @Nullable LayerTask task) implements LayerProgress {
    @Override
    public String digest() {
        return blob.digest();
    }

    @Override
    public long sizeBytes() {
        return blob.size();
    }

    @Override
    public long receivedBytes() {
        return task == null ? 0 : task.received();
    }

    @Override
    public State state() {
        if (task == null) {
            return State.SHARED;
        }
        return task.done() ? State.UNPACKED : task.started() ? State.FETCHING : State.WAITING;
    }
}
