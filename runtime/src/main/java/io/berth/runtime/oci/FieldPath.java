package io.berth.runtime.oci;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.Set;

/** Whole names of CRI fields. The builder of a spec knows a field by its last names, its caller by the whole path. */
final class FieldPath {
    private record Place(String path, Descriptor message) {}

    private FieldPath() {}

    /**
     * The path of the field of {@code message} that ends with {@code tail}, the shortest where there are several;
     * {@code tail} itself where it is no field.
     *
     * @param root what goes before, such as {@code config}; empty for none
     */
    static String of(Descriptor message, String root, String tail) {
        // No message of the CRI holds itself, so this ends.
        Queue<Place> places = new ArrayDeque<>(Set.of(new Place(root, message)));
        while (!places.isEmpty()) {
            Place place = places.remove();
            for (FieldDescriptor field : place.message().getFields()) {
                String path = place.path().isEmpty()
                        ? field.getName()
                        : place.path() + "." + field.getName();
                if (path.equals(tail) || path.endsWith("." + tail)) {
                    return path;
                }
                if (isMessage(field)) {
                    places.add(new Place(path, field.getMessageType()));
                }
            }
        }
        return tail;
    }

    private static boolean isMessage(FieldDescriptor field) {
        return field.getJavaType() == FieldDescriptor.JavaType.MESSAGE && !field.isMapField();
    }
}
