package io.berth.runtime.service;

import io.berth.cri.v1.ImageServiceGrpc;

/** CRI {@code ImageService}. An rpc that is not overridden here answers UNIMPLEMENTED with its own name. */
final class ImageServiceImpl extends ImageServiceGrpc.ImageServiceImplBase {}
