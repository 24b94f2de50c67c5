package io.berth.cri;

import com.google.protobuf.DescriptorProtos.FieldOptions;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;

/** A protobuf file as the rows of {@code cri-v1.tsv}: kind, owner, name, number, type, label, note. */
final class WireFacts {
    private WireFacts() {}

    /** The rows of the reference table. */
    static Set<String> ofTable() throws IOException {
        try (InputStream in = WireFacts.class.getResourceAsStream("/cri-v1.tsv")) {
            if (in == null) {
                throw new IOException("cri-v1.tsv is not on the class path");
            }
            Set<String> rows = new TreeSet<>();
            new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().filter(row -> !row.startsWith("#"))
                    .forEach(rows::add);
            return rows;
        }
    }

    /** The rows of a compiled file. */
    static Set<String> of(FileDescriptor file) {
        Set<String> rows = new TreeSet<>();
        file.getServices().forEach(service -> service.getMethods().forEach(method -> rows.add(row(method))));
        file.getEnumTypes().forEach(type -> addEnum(rows, type));
        file.getMessageTypes().forEach(type -> addMessage(rows, type));
        return rows;
    }

    private static String row(MethodDescriptor method) {
        String streams = (method.isClientStreaming() ? "stream " : "") + method.getInputType().getName()
                + " -> "
                + (method.isServerStreaming() ? "stream " : "") + method.getOutputType().getName();
        return row("rpc", method.getService().getName(), method.getName(), "", streams, "", "");
    }

    private static void addEnum(Set<String> rows, EnumDescriptor type) {
        type.getValues()
                .forEach(value -> rows.add(row("enum", nameInFile(type.getFullName()), value.getName(),
                        Integer.toString(value.getNumber()), "", "", "")));
    }

    private static void addMessage(Set<String> rows, Descriptor type) {
        if (type.getOptions().getMapEntry()) {
            return;
        }
        String owner = nameInFile(type.getFullName());
        rows.add(row("message", owner, "", "", "", "", ""));
        type.getFields().forEach(field -> rows.add(row("field", owner, field.getName(),
                Integer.toString(field.getNumber()), typeOf(field), labelOf(field), noteOf(field))));
        type.getEnumTypes().forEach(nested -> addEnum(rows, nested));
        type.getNestedTypes().forEach(nested -> addMessage(rows, nested));
    }

    private static String typeOf(FieldDescriptor field) {
        if (field.isMapField()) {
            List<FieldDescriptor> entry = field.getMessageType().getFields();
            return "map<" + typeOf(entry.getFirst()) + ", " + typeOf(entry.getLast()) + ">";
        }
        return switch (field.getJavaType()) {
            case MESSAGE -> nameInFile(field.getMessageType().getFullName());
            case ENUM -> nameInFile(field.getEnumType().getFullName());
            default -> field.getType().name().toLowerCase(Locale.ROOT);
        };
    }

    private static String labelOf(FieldDescriptor field) {
        if (field.isMapField()) {
            return "";
        }
        if (field.getRealContainingOneof() != null) {
            return "oneof " + field.getRealContainingOneof().getName();
        }
        return field.isRepeated() ? "repeated" : field.toProto().getProto3Optional() ? "optional" : "";
    }

    private static String noteOf(FieldDescriptor field) {
        FieldOptions options = field.getOptions();
        return options.getDebugRedact()
                ? "secret: debug_redact"
                : options.getDeprecated() ? "deprecated" : "";
    }

    private static String nameInFile(String fullName) {
        return fullName.substring("runtime.v1.".length());
    }

    private static String row(String... cells) {
        return String.join("\t", cells);
    }
}
