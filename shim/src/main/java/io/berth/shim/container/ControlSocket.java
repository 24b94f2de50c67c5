package io.berth.shim.container;

import io.berth.shim.libc.EventLoop;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Source;
import org.teavm.interop.Address;

/** The socket that the daemon connects to. */
final class ControlSocket extends Source {
    private final Clients clients;

    ControlSocket(Clients clients, int fd) {
        this.clients = clients;
        own(fd);
    }

    void open(EventLoop loop) {
        loop.watch(this, Libc.EPOLLIN);
    }

    @Override
    public void ready(int events) {
        int client = Libc.accept4(fd(), Address.fromLong(0), Address.fromLong(0),
                Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC);
        if (client >= 0) {
            clients.accepted(client);
        }
    }
}
