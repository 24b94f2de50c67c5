package io.berth.runtime.service;

import io.berth.cri.v1.CgroupDriver;
import io.berth.cri.v1.LinuxRuntimeConfiguration;
import io.berth.cri.v1.RuntimeConfigRequest;
import io.berth.cri.v1.RuntimeConfigResponse;
import io.berth.cri.v1.RuntimeServiceGrpc;
import io.berth.cri.v1.VersionRequest;
import io.berth.cri.v1.VersionResponse;
import io.berth.runtime.config.BerthConfig;
import io.grpc.stub.StreamObserver;

/** CRI {@code RuntimeService}. An rpc that is not overridden here answers UNIMPLEMENTED with its own name. */
final class RuntimeServiceImpl extends RuntimeServiceGrpc.RuntimeServiceImplBase {
    private final Seams seams;

    RuntimeServiceImpl(BerthConfig config, Seams seams) {
        this.seams = seams;
    }

    @Override
    public void version(VersionRequest request, StreamObserver<VersionResponse> observer) {
        // The kubelet's runtime API version is always 0.1.0; the CRI's own is v1.
        Calls.answer("Version", observer, () -> VersionResponse.newBuilder().setVersion("0.1.0")
                .setRuntimeName("berth").setRuntimeVersion(seams.version()).setRuntimeApiVersion("v1")
                .build());
    }

    @Override
    public void runtimeConfig(RuntimeConfigRequest request, StreamObserver<RuntimeConfigResponse> observer) {
        Calls.answer("RuntimeConfig", observer, () -> RuntimeConfigResponse.newBuilder()
                .setLinux(LinuxRuntimeConfiguration.newBuilder()
                        .setCgroupDriver(switch (seams.cgroups().driver()) {
                            case CGROUPFS -> CgroupDriver.CGROUPFS;
                            case SYSTEMD -> CgroupDriver.SYSTEMD;
                        }))
                .build());
    }
}
