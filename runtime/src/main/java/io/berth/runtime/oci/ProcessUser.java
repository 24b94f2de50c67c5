package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.LinuxContainerSecurityContext;
import java.nio.file.Path;
import java.util.List;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Who a container's first process is.
 *
 * @param groups every group of the process, the primary one included
 */
record ProcessUser(long uid, long gid, NavigableSet<Long> groups) {
    /** The kernel's ids are 32 bits wide, and the largest stands for "none". */
    private static final long MAX_ID = 0xffff_fffeL;

    private static final String PASSWD = "/etc/passwd";
    private static final String GROUP = "/etc/group";

    private record Account(String name, long uid, long gid) {}

    /**
     * Resolves the request over the image's {@code USER} over root.
     *
     * @throws OciException INVALID for a name that the image does not know, or fields that exclude each other
     */
    static ProcessUser of(LinuxContainerSecurityContext request, String imageUser, Path rootfs)
            throws OciException {
        checkFields(request);
        String[] image = imageUser.split(":", 2);
        boolean requested = request.hasRunAsUser() || !request.getRunAsUsername().isEmpty();
        String source = requested ? "run_as_username" : "the image's USER";
        String user = request.getRunAsUsername().isEmpty() ? image[0] : request.getRunAsUsername();
        Optional<Account> account;
        long uid;
        if (request.hasRunAsUser()) {
            uid = id(request.getRunAsUser().getValue(), "run_as_user");
            account = account(rootfs, null, uid);
        } else if (user.isEmpty()) {
            uid = 0;
            account = account(rootfs, null, 0);
        } else if (isNumber(user)) {
            uid = number(user, source);
            account = account(rootfs, null, uid);
        } else {
            account = account(rootfs, user, -1);
            uid = account.orElseThrow(() -> OciException.invalid(source,
                    "the image has no user \"" + user + "\" in its " + PASSWD)).uid();
        }
        long gid;
        if (request.hasRunAsGroup()) {
            gid = id(request.getRunAsGroup().getValue(), "run_as_group");
        } else if (!requested && image.length == 2 && !image[1].isEmpty()) {
            gid = group(rootfs, image[1]);
        } else {
            gid = account.map(Account::gid).orElse(0L);
        }
        return new ProcessUser(uid, gid, groups(request, account, gid, rootfs));
    }

    private static void checkFields(LinuxContainerSecurityContext request) throws OciException {
        boolean name = !request.getRunAsUsername().isEmpty();
        if (request.hasRunAsUser() && name) {
            throw OciException.invalid("run_as_username", "excludes run_as_user; set one of them");
        }
        if (request.hasRunAsGroup() && !request.hasRunAsUser() && !name) {
            throw OciException.invalid("run_as_group", "needs run_as_user or run_as_username");
        }
    }

    private static NavigableSet<Long> groups(LinuxContainerSecurityContext request, Optional<Account> account,
            long gid,
            Path rootfs) throws OciException {
        NavigableSet<Long> groups = new TreeSet<>();
        groups.add(gid);
        for (long supplemental : request.getSupplementalGroupsList()) {
            groups.add(id(supplemental, "supplemental_groups"));
        }
        switch (request.getSupplementalGroupsPolicy()) {
            case Merge -> {
                if (account.isPresent()) {
                    groups.addAll(memberships(rootfs, account.get().name()));
                }
            }
            case Strict -> {
                // The image's /etc/group has no say.
            }
            case UNRECOGNIZED -> throw OciException.invalid("supplemental_groups_policy",
                    "unknown value " + request.getSupplementalGroupsPolicyValue());
        }
        return groups;
    }

    private static Optional<Account> account(Path rootfs, @Nullable String name, long uid)
            throws OciException {
        for (String line : RootfsFiles.lines(rootfs, PASSWD)) {
            String[] fields = line.split(":", -1);
            if (fields.length < 4) {
                continue;
            }
            OptionalLong entryUid = parse(fields[2]);
            OptionalLong entryGid = parse(fields[3]);
            if (entryUid.isPresent() && entryGid.isPresent()
                    && (name == null ? entryUid.getAsLong() == uid : fields[0].equals(name))) {
                return Optional.of(new Account(fields[0], entryUid.getAsLong(), entryGid.getAsLong()));
            }
        }
        return Optional.empty();
    }

    private static long group(Path rootfs, String group) throws OciException {
        if (isNumber(group)) {
            return number(group, "the image's USER");
        }
        for (String line : RootfsFiles.lines(rootfs, GROUP)) {
            String[] fields = line.split(":", -1);
            if (fields.length >= 3 && fields[0].equals(group) && parse(fields[2]).isPresent()) {
                return parse(fields[2]).getAsLong();
            }
        }
        throw OciException.invalid("the image's USER",
                "the image has no group \"" + group + "\" in its " + GROUP);
    }

    private static NavigableSet<Long> memberships(Path rootfs, String user) throws OciException {
        NavigableSet<Long> result = new TreeSet<>();
        for (String line : RootfsFiles.lines(rootfs, GROUP)) {
            String[] fields = line.split(":", -1);
            if (fields.length >= 4 && List.of(fields[3].split(",")).contains(user)) {
                parse(fields[2]).ifPresent(result::add);
            }
        }
        return result;
    }

    private static long id(long value, String field) throws OciException {
        if (value < 0 || value > MAX_ID) {
            throw OciException.invalid(field, value + " is not an id from 0 to " + MAX_ID);
        }
        return value;
    }

    private static boolean isNumber(String text) {
        return !text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    private static long number(String digits, String field) throws OciException {
        return parse(digits).orElseThrow(
                () -> OciException.invalid(field, digits + " is not an id from 0 to " + MAX_ID));
    }

    private static OptionalLong parse(String digits) {
        if (!isNumber(digits) || digits.length() > 10 || Long.parseLong(digits) > MAX_ID) {
            return OptionalLong.empty();
        }
        return OptionalLong.of(Long.parseLong(digits));
    }

    /** The OCI {@code process.user} object. */
    ObjectNode json() {
        ObjectNode json = OciSpec.object();
        json.put("uid", uid);
        json.put("gid", gid);
        ArrayNode additional = json.putArray("additionalGids");
        groups.forEach(additional::add);
        return json;
    }
}
