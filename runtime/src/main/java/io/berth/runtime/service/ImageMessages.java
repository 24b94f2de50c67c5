package io.berth.runtime.service;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.Int64Value;
import io.berth.imagestore.Image;
import java.util.List;

/** Images as CRI messages. */
final class ImageMessages {
    private static final ObjectMapper JSON = new ObjectMapper();

    private ImageMessages() {}

    /** CRI {@code Image}; its user is a number or a name, as the image has it, without the group. */
    static io.berth.cri.v1.Image image(Image image) {
        io.berth.cri.v1.Image.Builder message = io.berth.cri.v1.Image.newBuilder().setId(image.id())
                .addAllRepoTags(image.repoTags()).addAllRepoDigests(image.repoDigests())
                .setSize(image.sizeBytes()).setSpec(ImageSpec.newBuilder().setImage(image.id()))
                .setPinned(image.pinned());
        String user = List.of(image.config().user().split(":", 2)).getFirst();
        if (user.matches("\\d{1,18}")) {
            message.setUid(Int64Value.newBuilder().setValue(Long.parseLong(user)));
        } else {
            message.setUsername(user);
        }
        return message.build();
    }

    /** The {@code info} of a verbose {@code ImageStatus}; for people, its shape is no interface. */
    static String info(Image image) throws JsonProcessingException {
        ObjectNode info = JSON.createObjectNode();
        info.set("diffIDs", JSON.valueToTree(image.diffIds()));
        info.put("manifestDigest", image.manifestDigest());
        info.put("pulledAt", image.pulledAt().toString());
        info.set("imageSpec", JSON.readTree(image.configJson()));
        info.set("manifest", JSON.readTree(image.manifestJson()));
        return JSON.writeValueAsString(info);
    }
}
