package io.berth.runtime.sandbox;

import io.berth.cri.v1.DNSConfig;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.runtime.lifecycle.LifecycleException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What the files of a pod say.
 *
 * @param hostname the pod's name, without a line break
 * @param hosts content of {@code /etc/hosts}
 * @param resolvConf content of {@code /etc/resolv.conf}
 */
record PodFiles(String hostname, String hosts, String resolvConf) {
    private static final Path HOST_NAME = Path.of("/proc/sys/kernel/hostname");
    /** {@code __NEW_UTS_LEN} of the kernel. */
    private static final int LONGEST_HOSTNAME = 64;
    private static final Pattern HOSTNAME = Pattern.compile("[A-Za-z0-9_.-]+");
    private static final Pattern BLANK = Pattern.compile("[\\s\\p{Cntrl}]");
    private static final String LOOPBACK_ONLY = """
        127.0.0.1\tlocalhost
        ::1\tlocalhost ip6-localhost ip6-loopback
        fe00::0\tip6-localnet
        ff00::0\tip6-mcastprefix
        ff02::1\tip6-allnodes
        ff02::2\tip6-allrouters
        """;

    /**
     * Decides them from a request and the host's own files.
     *
     * @param ownNetwork whether the pod has a network of its own; otherwise it has the host's name and hosts
     * @param etc the host's {@code /etc}
     */
    static PodFiles of(PodSandboxConfig config, boolean ownNetwork, Path etc)
            throws IOException, LifecycleException {
        String hostname = config.getHostname();
        if (hostname.isEmpty() || !ownNetwork) {
            hostname = Files.readString(HOST_NAME, StandardCharsets.UTF_8).strip();
        } else if (hostname.length() > LONGEST_HOSTNAME || !HOSTNAME.matcher(hostname).matches()) {
            throw invalid("config.hostname: \"" + hostname.lines().findFirst().orElse("")
                    + "\" is not one of at most 64 letters, digits, '-', '_' and '.'");
        }
        String hosts = ownNetwork ? LOOPBACK_ONLY : readIfThere(etc.resolve("hosts"), LOOPBACK_ONLY);
        return new PodFiles(hostname, hosts, resolvConf(config.getDnsConfig(), etc));
    }

    private static String resolvConf(DNSConfig dns, Path etc) throws IOException, LifecycleException {
        if (dns.equals(DNSConfig.getDefaultInstance())) {
            return readIfThere(etc.resolve("resolv.conf"), "");
        }
        checkWords("servers", dns.getServersList());
        checkWords("searches", dns.getSearchesList());
        checkWords("options", dns.getOptionsList());
        StringBuilder text = new StringBuilder();
        if (dns.getSearchesCount() > 0) {
            text.append("search ").append(String.join(" ", dns.getSearchesList())).append('\n');
        }
        for (String server : dns.getServersList()) {
            text.append("nameserver ").append(server).append('\n');
        }
        if (dns.getOptionsCount() > 0) {
            text.append("options ").append(String.join(" ", dns.getOptionsList())).append('\n');
        }
        return text.toString();
    }

    private static void checkWords(String field, List<String> words) throws LifecycleException {
        for (String word : words) {
            if (word.isEmpty() || BLANK.matcher(word).find()) {
                throw invalid("config.dns_config." + field + ": \"" + BLANK.matcher(word).replaceAll(" ")
                        + "\" is empty or holds a blank: it would become another line or word of resolv.conf");
            }
        }
    }

    private static String readIfThere(Path file, String otherwise) throws IOException {
        try {
            return Files.readString(file, StandardCharsets.UTF_8);
        } catch (NoSuchFileException e) {
            return otherwise;
        }
    }

    private static LifecycleException invalid(String message) {
        return new LifecycleException(LifecycleException.Kind.INVALID, message);
    }
}
