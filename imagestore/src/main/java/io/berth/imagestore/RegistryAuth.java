package io.berth.imagestore;

/**
 * Credentials of one pull (CRI {@code AuthConfig}); empty strings where absent. Its text form hides every secret.
 *
 * @param auth base64 of {@code username:password}
 * @param serverAddress the registry these credentials are meant for; empty means the image's own
 */
public record RegistryAuth(String username, String password, String auth, String serverAddress,
        String identityToken,
        String registryToken) {
    /** No credentials. */
    public static final RegistryAuth NONE = new RegistryAuth("", "", "", "", "", "");

    @Override
    public String toString() {
        return "RegistryAuth[" + (equals(NONE) ? "none" : "redacted") + "]";
    }
}
