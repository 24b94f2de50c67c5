package io.berth.runtime.service;

import io.berth.runtime.config.BerthConfig;
import io.grpc.BindableService;
import java.io.IOException;
import java.util.List;

/**
 * The CRI services over one node's seams. {@link #open} loads the state and finds what runs; {@link #services} serve it.
 * Closing lets go of shims and the database; containers run on.
 */
public final class CriServices implements AutoCloseable {
    private final RuntimeServiceImpl runtime;
    private final ImageServiceImpl images;

    private CriServices(RuntimeServiceImpl runtime, ImageServiceImpl images) {
        this.runtime = runtime;
        this.images = images;
    }

    /**
     * Loads {@code <root>/berth.db}, finds the shims of containers that still run, and undoes what an earlier daemon left
     * half-done.
     *
     * @throws IOException where the database cannot be opened, is damaged, or is of a newer Berth
     */
    public static CriServices open(BerthConfig config, Seams seams) throws IOException {
        return new CriServices(new RuntimeServiceImpl(config, seams), new ImageServiceImpl());
    }

    /** The gRPC services. They block: run them on virtual threads. */
    public List<BindableService> services() {
        return List.of(runtime, images);
    }

    @Override
    public void close() {}
}
