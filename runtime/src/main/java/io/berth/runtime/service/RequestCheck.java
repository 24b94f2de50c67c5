package io.berth.runtime.service;

import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import com.google.protobuf.Message;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Refuses, with INVALID_ARGUMENT and the field's path, what no request to a Linux node can mean: a value that its enum does
 * not have, and a message for Windows. Fields that this version of the CRI does not know are told to the operator once: a
 * newer kubelet may send them, and expects an older runtime to go on.
 */
public final class RequestCheck implements ServerInterceptor {
    private static final Logger log = LoggerFactory.getLogger(RequestCheck.class);
    /** Bounds what a client that sends nonsense can have remembered and logged. */
    private static final int MOST_UNKNOWN_TOLD = 100;

    private final Set<String> unknownTold = ConcurrentHashMap.newKeySet();

    @Override
    public <Q, S> ServerCall.Listener<Q> interceptCall(ServerCall<Q, S> call, Metadata headers,
            ServerCallHandler<Q, S> next) {
        return new SimpleForwardingServerCallListener<>(next.startCall(call, headers)) {
            private boolean refused;

            @Override
            public void onMessage(Q request) {
                Optional<String> refusal = request instanceof Message message
                        ? refusal(message)
                        : Optional.empty();
                if (refusal.isEmpty()) {
                    super.onMessage(request);
                    return;
                }
                refused = true;
                log.atWarn().addKeyValue("rpc", call.getMethodDescriptor().getBareMethodName())
                        .addKeyValue("code", Status.Code.INVALID_ARGUMENT).log(refusal.get());
                call.close(Status.INVALID_ARGUMENT.withDescription(refusal.get()), new Metadata());
            }

            @Override
            public void onHalfClose() {
                // The handler would answer that it has got no request.
                if (!refused) {
                    super.onHalfClose();
                }
            }
        };
    }

    /** Why {@code request} cannot be obeyed whatever its receiver does; empty where it may be. */
    Optional<String> refusal(Message request) {
        return refusal("", request);
    }

    private Optional<String> refusal(String path, Message message) {
        tellUnknown(path, message);
        for (Map.Entry<FieldDescriptor, Object> entry : message.getAllFields().entrySet()) {
            FieldDescriptor field = entry.getKey();
            if (field.isMapField()) {
                continue;
            }
            String name = path + field.getName();
            List<?> values = field.isRepeated() ? (List<?>) entry.getValue() : List.of(entry.getValue());
            for (int i = 0; i < values.size(); i++) {
                Optional<String> refusal = refusal(field.isRepeated() ? name + "[" + i + "]" : name, field,
                        values.get(i));
                if (refusal.isPresent()) {
                    return refusal;
                }
            }
        }
        return Optional.empty();
    }

    private Optional<String> refusal(String name, FieldDescriptor field, Object value) {
        if (field.getJavaType() == JavaType.ENUM) {
            EnumValueDescriptor constant = (EnumValueDescriptor) value;
            return field.getEnumType().findValueByNumber(constant.getNumber()) == null
                    ? Optional.of(name + ": unknown value " + constant.getNumber())
                    : Optional.empty();
        }
        if (field.getJavaType() != JavaType.MESSAGE) {
            return Optional.empty();
        }
        return field.getMessageType().getName().startsWith("Windows")
                ? Optional.of(name + " is set, but this node runs Linux")
                : refusal(name + ".", (Message) value);
    }

    private void tellUnknown(String path, Message message) {
        for (int number : message.getUnknownFields().asMap().keySet()) {
            String field = message.getDescriptorForType().getName() + " " + number;
            if (unknownTold.size() < MOST_UNKNOWN_TOLD && unknownTold.add(field)) {
                log.atWarn().addKeyValue("in", path.isEmpty() ? "the request" : path)
                        .addKeyValue("field", field)
                        .log("a request has a field that this version of the CRI does not know; it has no effect");
            }
        }
    }
}
