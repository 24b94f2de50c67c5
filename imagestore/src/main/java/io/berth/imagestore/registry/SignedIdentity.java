package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;

/** Which name a signature must have been made for (containers-policy.json(5), {@code signedIdentity}). */
sealed interface SignedIdentity {
    /** The name that a signature states: a repository alone has neither tag nor digest. */
    record SignedName(ImageReference reference, boolean repositoryAlone) {
        static SignedName parse(String text) throws ImageException {
            ImageReference reference = ImageReference.parse(text);
            boolean alone = reference.digest() == null && "latest".equals(reference.tag())
                    && !text.endsWith(":latest");
            return new SignedName(reference, alone);
        }

        boolean isExactly(ImageReference image) {
            return !repositoryAlone && decisive(reference).equals(decisive(image));
        }

        boolean isOfRepository(String name) {
            return reference.name().equals(name);
        }

        /** A digest beside a tag is what counts. */
        private static String decisive(ImageReference reference) {
            return reference.digest() == null
                    ? reference.canonical()
                    : reference.name() + "@" + reference.digest();
        }
    }

    /** Whether a signature for {@code signed} speaks of {@code image}. */
    boolean accepts(ImageReference image, SignedName signed) throws ImageException;

    /** The same repository, and the same tag or digest. */
    record MatchExact() implements SignedIdentity {
        @Override
        public boolean accepts(ImageReference image, SignedName signed) {
            return signed.isExactly(image);
        }
    }

    /** The same tag for an image by tag; the same repository for one by digest. */
    record MatchRepoDigestOrExact() implements SignedIdentity {
        @Override
        public boolean accepts(ImageReference image, SignedName signed) {
            return image.digest() == null ? signed.isExactly(image) : signed.isOfRepository(image.name());
        }
    }

    /** The same repository. What cosign signs without further options states no more. */
    record MatchRepository() implements SignedIdentity {
        @Override
        public boolean accepts(ImageReference image, SignedName signed) {
            return signed.isOfRepository(image.name());
        }
    }

    /** This name, whatever the image is called. */
    record ExactReference(ImageReference reference) implements SignedIdentity {
        @Override
        public boolean accepts(ImageReference image, SignedName signed) {
            return signed.isExactly(reference);
        }
    }

    /** This repository, whatever the image is called. */
    record ExactRepository(String name) implements SignedIdentity {
        @Override
        public boolean accepts(ImageReference image, SignedName signed) {
            return signed.isOfRepository(name);
        }
    }

    /** As {@link MatchRepoDigestOrExact}, with {@code signedPrefix} in place of {@code prefix} in the image's name. */
    record RemapIdentity(String prefix, String signedPrefix) implements SignedIdentity {
        @Override
        public boolean accepts(ImageReference image, SignedName signed) throws ImageException {
            return new MatchRepoDigestOrExact().accepts(remapped(image), signed);
        }

        private ImageReference remapped(ImageReference image) throws ImageException {
            String text = image.canonical();
            boolean below = text.startsWith(prefix)
                    && (text.length() == prefix.length() || "/:@".indexOf(text.charAt(prefix.length())) >= 0);
            return below ? ImageReference.parse(signedPrefix + text.substring(prefix.length())) : image;
        }
    }
}
