package io.berth.runtime.oci;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.Optional;
import java.util.Random;

/**
 * The node's SELinux, as far as containers are concerned.
 *
 * @param process the context that the policy has for processes of containers ({@code lxc_contexts(5)}); empty where it has none:
 *        then only those containers are labelled that ask for it
 * @param file the same for their files
 * @param levels whether the policy has levels (MCS or MLS), which keep containers of one type apart
 */
public record SelinuxPolicy(Optional<Context> process, Optional<Context> file, boolean levels) {
    private static final int CATEGORIES = 1024;

    /** The parts of a context but its level. */
    public record Context(String user, String role, String type) {
        static Optional<Context> parse(String text) {
            String[] parts = text.split(":", 4);
            return parts.length < 3
                    ? Optional.empty()
                    : Optional.of(new Context(parts[0], parts[1], parts[2]));
        }

        String withLevel(String level) {
            return user + ":" + role + ":" + type + (level.isEmpty() ? "" : ":" + level);
        }
    }

    /** Reads what this node has below {@code root}; empty where SELinux is not the kernel's, or off. */
    static Optional<SelinuxPolicy> detect(Path root) throws IOException {
        Path kernel = root.resolve("sys/fs/selinux");
        if (!Files.exists(kernel.resolve("enforce"))) {
            return Optional.empty();
        }
        String type = value(root.resolve("etc/selinux/config"), "SELINUXTYPE").orElse("targeted");
        Path contexts = root.resolve("etc/selinux").resolve(type).resolve("contexts/lxc_contexts");
        Path mls = kernel.resolve("mls");
        return Optional
                .of(new SelinuxPolicy(context(contexts, "process", kernel), context(contexts, "file", kernel),
                        Files.exists(mls) && Files.readString(mls).strip().equals("1")));
    }

    /** Empty also where the policy that is loaded does not have it: Debian's names types there that only another package brings. */
    private static Optional<Context> context(Path contexts, String key, Path kernel) throws IOException {
        Optional<String> text = value(contexts, key);
        return text.isPresent() && valid(text.get(), kernel) ? Context.parse(text.get()) : Optional.empty();
    }

    private static boolean valid(String context, Path kernel) {
        try {
            Files.writeString(kernel.resolve("context"), context, StandardOpenOption.WRITE);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** A level of two categories that is not in {@code taken}; empty where the policy has no levels. */
    public String newLevel(Collection<String> taken, Random random) {
        if (!levels) {
            return "";
        }
        while (true) {
            int one = random.nextInt(CATEGORIES);
            int other = random.nextInt(CATEGORIES);
            String level = "s0:c" + Math.min(one, other) + ",c" + Math.max(one, other);
            if (one != other && !taken.contains(level)) {
                return level;
            }
        }
    }

    /** The value of a line {@code key = "value"}. */
    private static Optional<String> value(Path file, String key) throws IOException {
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        for (String line : Files.readAllLines(file)) {
            String[] parts = line.split("=", 2);
            if (parts.length == 2 && parts[0].strip().equals(key)) {
                return Optional.of(parts[1].strip().replace("\"", ""));
            }
        }
        return Optional.empty();
    }
}
