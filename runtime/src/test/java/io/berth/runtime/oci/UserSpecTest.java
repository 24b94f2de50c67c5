package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.Int64Value;
import io.berth.cri.v1.SupplementalGroupsPolicy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UserSpecTest {
    private static final String PASSWD = """
        root:x:0:0:root:/root:/bin/sh
        # comments and broken lines are passed over
        broken:x:many:0::/:
        app:x:1000:1001::/home/app:/bin/sh
        """;
    private static final String GROUP = """
        root:x:0:
        app:x:1001:
        extra:x:2000:other,app
        video:x:44:other
        """;

    private SpecRequest request;
    private Path rootfs;

    @BeforeEach
    void prepare(@TempDir Path directory) throws IOException {
        rootfs = directory.resolve("rootfs");
        Files.createDirectories(rootfs.resolve("etc"));
        Files.writeString(rootfs.resolve("etc/passwd"), PASSWD);
        Files.writeString(rootfs.resolve("etc/group"), GROUP);
        request = new SpecRequest(rootfs);
    }

    @Test
    void isRootWhereNobodySaysOtherwise() throws OciException {
        isUser(0, 0, 0);
    }

    @Test
    void isTheImagesUserByNameWithItsGroups() throws OciException {
        request.imageUser = "app";
        isUser(1000, 1001, 1001, 2000);
    }

    @Test
    void isTheImagesUserAndGroupByNumberOrName() throws OciException {
        request.imageUser = "1000:extra";
        isUser(1000, 2000, 2000);
        request.imageUser = "4242";
        isUser(4242, 0, 0);
        request.imageUser = "4242:4343";
        isUser(4242, 4343, 4343);
    }

    @Test
    void aRequestedUserReplacesTheImagesGroupToo() throws OciException {
        request.imageUser = "app:video";
        request.security().setRunAsUser(id(4242));
        isUser(4242, 0, 0);
        request.security().clearRunAsUser().setRunAsUsername("app").setRunAsGroup(id(7));
        isUser(1000, 7, 7, 2000);
    }

    @Test
    void strictGroupsLeaveOutTheImages() throws OciException {
        request.security().setRunAsUser(id(1000)).addSupplementalGroups(5).addSupplementalGroups(3);
        isUser(1000, 1001, 3, 5, 1001, 2000);
        request.security().setSupplementalGroupsPolicy(SupplementalGroupsPolicy.Strict);
        isUser(1000, 1001, 3, 5, 1001);
        request.security().setSupplementalGroupsPolicyValue(9);
        request.isInvalid("supplemental_groups_policy: unknown value 9");
    }

    @Test
    void refusesWhoIsNotThere() {
        request.security().setRunAsUsername("ghost");
        request.isInvalid("run_as_username: the image has no user \"ghost\" in its /etc/passwd");
        request.security().clearRunAsUsername();
        request.imageUser = "app:ghosts";
        request.isInvalid("the image's USER: the image has no group \"ghosts\" in its /etc/group");
        request.imageUser = "99999999999";
        request.isInvalid("the image's USER: 99999999999 is not an id");
    }

    @Test
    void refusesFieldsThatExcludeEachOther() {
        request.security().setRunAsGroup(id(5));
        request.isInvalid("run_as_group: needs run_as_user or run_as_username");
        request.security().setRunAsUser(id(5)).setRunAsUsername("app");
        request.isInvalid("run_as_username: excludes run_as_user");
        request.security().clearRunAsUsername().setRunAsUser(id(-1));
        request.isInvalid("run_as_user: -1 is not an id");
        request.security().setRunAsUser(id(1)).addSupplementalGroups(1L << 32);
        request.isInvalid("supplemental_groups: 4294967296 is not an id");
    }

    @Test
    void linksInTheImageLeadToTheImagesFiles(@TempDir Path outside) throws IOException {
        Path hostFile = Files.writeString(outside.resolve("passwd"), "ghost:x:666:666::/:\n");
        Files.delete(rootfs.resolve("etc/passwd"));
        request.security().setRunAsUsername("ghost");
        for (String target : List.of(hostFile.toString(), "../../../../../.." + hostFile,
                "../etc/../../.." + hostFile)) {
            Files.createSymbolicLink(rootfs.resolve("etc/passwd"), Path.of(target));
            request.isInvalid("the image has no user \"ghost\"");
            Files.delete(rootfs.resolve("etc/passwd"));
        }
        Files.createDirectories(rootfs.resolve("usr/lib"));
        Files.writeString(rootfs.resolve("usr/lib/passwd"), "ghost:x:77:78::/:\n");
        Files.createSymbolicLink(rootfs.resolve("etc/passwd"), Path.of("/usr/lib/passwd"));
        isUser(77, 78, 78);
    }

    @Test
    void aDirectoryLinkOutOfTheImageFindsNothing(@TempDir Path outside) throws IOException {
        Files.writeString(outside.resolve("passwd"), "ghost:x:666:666::/:\n");
        Files.delete(rootfs.resolve("etc/passwd"));
        Files.delete(rootfs.resolve("etc/group"));
        Files.delete(rootfs.resolve("etc"));
        Files.createSymbolicLink(rootfs.resolve("etc"), outside);
        request.security().setRunAsUsername("ghost");
        request.isInvalid("the image has no user \"ghost\"");
    }

    @Test
    void refusesPasswdFilesThatAreNone() throws Exception {
        Path passwd = rootfs.resolve("etc/passwd");
        Files.delete(passwd);
        Files.createSymbolicLink(passwd, Path.of("passwd"));
        request.isInvalid("the image's /etc/passwd cannot be opened: openat2 /etc/passwd: ELOOP");
        Files.delete(passwd);
        Files.createDirectory(passwd);
        request.isInvalid("the image's /etc/passwd is not a regular file");
        Files.delete(passwd);
        assertThat(new ProcessBuilder("mkfifo", passwd.toString()).start().waitFor()).isZero();
        request.isInvalid("the image's /etc/passwd is not a regular file");
    }

    private void isUser(long uid, long gid, long... groups) throws OciException {
        var user = request.build().user();
        assertThat(user.getUid()).isEqualTo(uid);
        assertThat(user.getGid()).isEqualTo(gid);
        assertThat(user.getSupplementalGroupsList().stream().mapToLong(Long::longValue).toArray())
                .isEqualTo(groups);
    }

    private static Int64Value id(long value) {
        return Int64Value.newBuilder().setValue(value).build();
    }
}
