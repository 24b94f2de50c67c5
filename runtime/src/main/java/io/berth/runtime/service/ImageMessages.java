package io.berth.runtime.service;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.Int64Value;
import io.berth.imagestore.Image;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Images as CRI messages. */
final class ImageMessages {
    private static final ObjectMapper JSON = new ObjectMapper();

    private ImageMessages() {}

    /** CRI {@code Image}; its user is a number or a name, as the image has it, without the group. */
    static io.berth.cri.v1.Image image(Image image) {
        io.berth.cri.v1.Image.Builder message = io.berth.cri.v1.Image.newBuilder().setId(image.id())
                .addAllRepoTags(image.repoTags()).addAllRepoDigests(image.repoDigests())
                .setSize(image.sizeBytes()).setSpec(ImageSpec.newBuilder().setImage(image.id())
                        .putAllAnnotations(annotations(image)))
                .setPinned(image.pinned());
        String user = List.of(image.config().user().split(":", 2)).getFirst();
        if (user.matches("\\d{1,18}")) {
            message.setUid(Int64Value.newBuilder().setValue(Long.parseLong(user)));
        } else {
            message.setUsername(user);
        }
        return message.build();
    }

    /** The annotations of the manifest, as CRI-O shows them too. */
    private static Map<String, String> annotations(Image image) {
        Map<String, String> annotations = new TreeMap<>();
        try {
            JSON.readTree(image.manifestJson()).path("annotations").properties()
                    .forEach(entry -> annotations.put(entry.getKey(), entry.getValue().asText("")));
        } catch (JsonProcessingException e) {
            // It was parsed when the image came, so this cannot be; and a list must not fail for one image.
            annotations.clear();
        }
        return annotations;
    }

    /** The {@code info} of a verbose {@code ImageStatus}; for people, its shape is no interface. */
    static String info(Image image) throws JsonProcessingException {
        ObjectNode info = JSON.createObjectNode();
        info.put("chainID", chainId(image.diffIds()));
        info.set("diffIDs", JSON.valueToTree(image.diffIds()));
        info.put("manifestDigest", image.manifestDigest());
        info.put("pulledAt", image.pulledAt().toString());
        info.set("imageSpec", JSON.readTree(image.configJson()));
        info.set("manifest", JSON.readTree(image.manifestJson()));
        return JSON.writeValueAsString(info);
    }

    /** The ChainID of the topmost layer (OCI image-spec, config.md); empty where there is no layer. */
    static String chainId(List<String> diffIds) {
        String chain = "";
        for (String diffId : diffIds) {
            chain = chain.isEmpty() ? diffId : "sha256:" + sha256(chain + " " + diffId);
        }
        return chain;
    }

    private static String sha256(String text) {
        try {
            return HexFormat.of().formatHex(
                    MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
