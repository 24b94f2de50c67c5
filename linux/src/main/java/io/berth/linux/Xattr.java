package io.berth.linux;

import com.sun.jna.Native;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Extended attributes. Paths are not followed where they are symbolic links. */
public final class Xattr {
    /** A file's SELinux context. */
    public static final String SELINUX = "security.selinux";

    private static final int VALUE_MAX = 65536;

    private Xattr() {}

    /** Sets an attribute of an open file. */
    public static void set(Fd file, String name, byte[] value) throws LinuxException {
        check(FileCalls.fsetxattr(file.number(), terminated(name), value, value.length, 0), "fsetxattr",
                name);
    }

    /** Sets an attribute of {@code path}. */
    public static void set(RawPath path, String name, byte[] value) throws LinuxException {
        check(FileCalls.lsetxattr(path.terminated(), terminated(name), value, value.length, 0), "lsetxattr",
                path + " " + name);
    }

    /** Sets an attribute of {@code name} in {@code dir}, whatever type of file it is. */
    public static void set(Fd dir, RawPath name, String attribute, byte[] value) throws LinuxException {
        set(pathOf(dir, name), attribute, value);
    }

    /** An attribute's value; null where it is absent. */
    public static byte @Nullable [] get(RawPath path, String name) throws LinuxException {
        byte[] buffer = new byte[VALUE_MAX];
        long length = FileCalls.lgetxattr(path.terminated(), terminated(name), buffer, buffer.length);
        return value(buffer, length, "lgetxattr", path + " " + name);
    }

    /** An attribute's value; null where it is absent. */
    public static byte @Nullable [] get(Fd file, String name) throws LinuxException {
        byte[] buffer = new byte[VALUE_MAX];
        long length = FileCalls.fgetxattr(file.number(), terminated(name), buffer, buffer.length);
        return value(buffer, length, "fgetxattr", name);
    }

    /** An attribute's value of {@code name} in {@code dir}, whatever type of file it is; null where it is absent. */
    public static byte @Nullable [] get(Fd dir, RawPath name, String attribute) throws LinuxException {
        return get(pathOf(dir, name), attribute);
    }

    /** The names of all attributes of {@code name} in {@code dir} that the caller may see. */
    public static List<String> list(Fd dir, RawPath name) throws LinuxException {
        RawPath path = pathOf(dir, name);
        // Most files have none, which costs no buffer.
        return FileCalls.llistxattr(path.terminated(), null, 0) == 0 ? List.of() : list(path);
    }

    /** The names of all attributes that the caller may see; none where the file system has no attributes. */
    public static List<String> list(RawPath path) throws LinuxException {
        byte[] buffer = new byte[VALUE_MAX];
        long length = FileCalls.llistxattr(path.terminated(), buffer, buffer.length);
        if (length < 0 && Native.getLastError() == Errno.EOPNOTSUPP.number()) {
            return List.of();
        }
        check(length, "llistxattr", path.toString());
        List<String> names = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < length; i++) {
            if (buffer[i] == 0) {
                names.add(new String(buffer, start, i - start, StandardCharsets.UTF_8));
                start = i + 1;
            }
        }
        return names;
    }

    /** setxattrat(2) and its kin are new in Linux 6.13; the directory's own link in /proc serves every kernel. */
    private static RawPath pathOf(Fd dir, RawPath name) {
        byte[] prefix = ("/proc/self/fd/" + dir.number() + "/").getBytes(StandardCharsets.US_ASCII);
        byte[] path = Arrays.copyOf(prefix, prefix.length + name.length());
        System.arraycopy(name.terminated(), 0, path, prefix.length, name.length());
        return RawPath.of(path, 0, path.length);
    }

    private static byte @Nullable [] value(byte[] buffer, long length, String call, String subject)
            throws LinuxException {
        if (length < 0 && Native.getLastError() == Errno.ENODATA.number()) {
            return null;
        }
        check(length, call, subject);
        return Arrays.copyOf(buffer, (int) length);
    }

    private static byte[] terminated(String name) {
        return RawPath.of(name).terminated();
    }

    private static void check(long result, String call, String subject) throws LinuxException {
        if (result < 0) {
            throw new LinuxException(call, subject, Native.getLastError());
        }
    }
}
