package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.registry.HostAccess.HostTls;
import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSocket;
import org.apache.hc.client5.http.ConnectTimeoutException;
import org.apache.hc.client5.http.auth.AuthScope;
import org.apache.hc.client5.http.auth.UsernamePasswordCredentials;
import org.apache.hc.client5.http.classic.methods.HttpUriRequestBase;
import org.apache.hc.client5.http.config.ConnectionConfig;
import org.apache.hc.client5.http.config.RequestConfig;
import org.apache.hc.client5.http.impl.auth.BasicCredentialsProvider;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManager;
import org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManagerBuilder;
import org.apache.hc.client5.http.impl.routing.DefaultRoutePlanner;
import org.apache.hc.client5.http.protocol.HttpClientContext;
import org.apache.hc.client5.http.ssl.DefaultClientTlsStrategy;
import org.apache.hc.client5.http.ssl.HostnameVerificationPolicy;
import org.apache.hc.client5.http.ssl.HttpsSupport;
import org.apache.hc.client5.http.ssl.NoopHostnameVerifier;
import org.apache.hc.core5.http.ConnectionRequestTimeoutException;
import org.apache.hc.core5.http.HttpHost;
import org.apache.hc.core5.http.io.SocketConfig;
import org.apache.hc.core5.http.io.entity.StringEntity;
import org.apache.hc.core5.http.protocol.HttpContext;
import org.apache.hc.core5.io.CloseMode;
import org.apache.hc.core5.util.Timeout;
import org.jspecify.annotations.Nullable;

/**
 * HTTP as registries need it, for one pull: TLS by host, proxies, deadlines, and redirects that take no credentials to
 * another server. It does one attempt and says whether another is worthwhile.
 */
final class Transport implements AutoCloseable {
    private static final int MAX_REDIRECTS = 5;
    private static final int MAX_CONNECTIONS = 256;
    /** What may follow a redirect to another server; everything else may be a secret of the first. */
    private static final Set<String> HARMLESS = Set.of("Accept", "Range");

    private final RegistryOptions options;
    private final Certificates certificates;
    private final Proxies proxies;
    private final Set<String> insecureHosts = ConcurrentHashMap.newKeySet();
    private final Map<String, HostTls> hostTls = new ConcurrentHashMap<>();
    private final PoolingHttpClientConnectionManager connections;
    private final CloseableHttpClient client;
    private volatile boolean closed;

    Transport(RegistryOptions options, Certificates certificates) throws ImageException {
        this.options = options;
        this.certificates = certificates;
        this.proxies = new Proxies(options.environment());
        this.connections = connections();
        this.client = client();
    }

    /** Lets {@code host} (with its port where one was given) go without verified certificates and without TLS. */
    void allowInsecure(String host) {
        insecureHosts.add(withoutUsualPort(host));
    }

    /** Has {@code host} (with its port where one was given) spoken to as {@code tls} says. */
    void use(String host, HostTls tls) {
        hostTls.put(withoutUsualPort(host), tls);
        if (tls.skipVerify()) {
            allowInsecure(host);
        }
    }

    /** GET, behind redirects. */
    Answer get(URI uri, Map<String, String> headers) throws ImageException, TransientFailure {
        URI at = uri;
        Map<String, String> sent = new HashMap<>(headers);
        boolean redirected = false;
        for (int hops = 0; hops <= MAX_REDIRECTS; hops++) {
            Answer answer = send(new HttpUriRequestBase("GET", at), at, sent, redirected);
            String location = answer.header("Location");
            switch (answer.status()) {
                case 301, 302, 303, 307, 308 -> {
                    answer.close();
                    URI next = target(at, location);
                    if (!origin(at).equals(origin(next))) {
                        sent.keySet().retainAll(HARMLESS);
                        redirected = true;
                    }
                    at = next;
                }
                default -> {
                    return answer;
                }
            }
        }
        throw new ImageException(Kind.UNAVAILABLE,
                text(uri) + " redirects more than " + MAX_REDIRECTS + " times, last to " + text(at));
    }

    /** POST of a form; redirects are not followed, for the form holds secrets. */
    Answer post(URI uri, String form) throws ImageException, TransientFailure {
        HttpUriRequestBase request = new HttpUriRequestBase("POST", uri);
        request.setEntity(new StringEntity(form,
                org.apache.hc.core5.http.ContentType.APPLICATION_FORM_URLENCODED));
        return send(request, uri, Map.of(), false);
    }

    /** Breaks every connection, also those in use. */
    @Override
    public void close() {
        closed = true;
        client.close(CloseMode.IMMEDIATE);
    }

    /** What broke while a body was read, as {@link #get} would tell it. */
    TransientFailure broken(URI uri, IOException e) throws ImageException {
        return failure(uri, e);
    }

    /** A URI for people: without user and query, which may carry signatures. */
    static String text(URI uri) {
        return uri.getScheme() + "://" + uri.getAuthority().replaceFirst("^.*@", "")
                + Objects.requireNonNullElse(uri.getPath(), "");
    }

    private Answer send(HttpUriRequestBase request, URI uri, Map<String, String> headers, boolean redirected)
            throws ImageException, TransientFailure {
        headers.forEach(request::setHeader);
        try {
            return new Answer(request, client.executeOpen(null, request, HttpClientContext.create()), uri,
                    redirected);
        } catch (IOException e) {
            throw failure(uri, e);
        } catch (IllegalStateException e) {
            // The pool says so when it is shut down while somebody waits for a connection.
            throw failure(uri, new IOException(e.getMessage(), e));
        }
    }

    private URI target(URI from, @Nullable String location) throws ImageException {
        try {
            URI target = from.resolve(URI.create(Objects.requireNonNullElse(location, "")));
            String scheme = String.valueOf(target.getScheme());
            if (location != null && target.getHost() != null
                    && (scheme.equals("https") || scheme.equals(from.getScheme()))) {
                return target;
            }
            if (scheme.equals("http") && target.getHost() != null) {
                throw new ImageException(Kind.UNAVAILABLE, text(from)
                        + " redirects from https to plain http (" + text(target)
                        + "), which is not followed");
            }
        } catch (IllegalArgumentException e) {
            // Told below: the location may hold secrets, and the cause would quote it.
        }
        throw new ImageException(Kind.UNAVAILABLE, text(from) + " redirects without saying where to");
    }

    private TransientFailure failure(URI uri, IOException e) throws ImageException {
        String host = uri.getAuthority();
        if (Thread.currentThread().isInterrupted() || closed) {
            throw new ImageException(Kind.CANCELLED, "cancelled while speaking to " + host, e);
        }
        if (e instanceof ImageException known) {
            throw known;
        }
        String permanent = switch (e) {
            case UnknownHostException _ -> "cannot find the host of " + host
                    + " (DNS has no address for it); check the name and this node's resolver";
            case ConnectTimeoutException _ -> "cannot connect to " + host + " within "
                    + options.connectTimeout().toSeconds() + " s";
            case ConnectException _ -> "cannot connect to " + host + ": " + reason(e);
            case NoRouteToHostException _ -> "cannot connect to " + host + ": " + reason(e);
            case SSLPeerUnverifiedException _ -> untrusted(host, e);
            case SSLHandshakeException _ -> untrusted(host, e);
            case SSLException _ when String.valueOf(e.getMessage()).contains("SSL message") -> host
                    + " does not speak TLS; if it is meant to be plain http, set insecure = true for it in"
                    + " registries.conf";
            case ConnectionRequestTimeoutException _ -> "no free connection to " + host;
            default -> null;
        };
        if (permanent != null) {
            throw new ImageException(Kind.UNAVAILABLE, permanent, e);
        }
        if (e instanceof SocketTimeoutException) {
            return new TransientFailure(
                    host + " sent nothing for " + options.stallTimeout().toMillis() + " ms",
                    null, e);
        }
        return new TransientFailure("the connection to " + host + " broke: " + reason(e), null, e);
    }

    private static String untrusted(String host, IOException e) {
        return "the TLS handshake with " + host + " failed: " + reason(e)
                + "; if its certificate is signed by an authority of your own, put that into"
                + " /etc/containers/certs.d/" + host + "/ca.crt";
    }

    /** The innermost words: the library's own repeat the host and its addresses. */
    private static String reason(Throwable e) {
        Throwable innermost = e;
        for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
            innermost = cause;
        }
        String message = innermost.getMessage();
        if (message != null && innermost instanceof ConnectException) {
            message = message.replaceFirst("^Connect to .* failed: ", "");
        }
        return message == null || message.isBlank() ? innermost.getClass().getSimpleName() : message;
    }

    private static String origin(URI uri) {
        return uri.getScheme() + "://" + uri.getHost() + ":" + port(uri.getScheme(), uri.getPort());
    }

    private static int port(String scheme, int port) {
        return port >= 0 ? port : scheme.equals("https") ? 443 : 80;
    }

    private PoolingHttpClientConnectionManager connections() {
        Timeout stall = Timeout.of(options.stallTimeout());
        return PoolingHttpClientConnectionManagerBuilder.create()
                .setConnectionFactory(_ -> new QuietConnection())
                .setConnectionConfigResolver(route -> ConnectionConfig.custom()
                        .setConnectTimeout(Timeout.of(connectTimeout(route.getTargetHost())))
                        .setSocketTimeout(stall).build())
                .setTlsSocketStrategy(this::upgrade)
                .setMaxConnTotal(MAX_CONNECTIONS).setMaxConnPerRoute(MAX_CONNECTIONS)
                .setDefaultSocketConfig(SocketConfig.custom().setSoTimeout(stall).setTcpNoDelay(true).build())
                .build();
    }

    private Duration connectTimeout(HttpHost host) {
        String name = host.getPort() < 0 ? host.getHostName() : host.getHostName() + ":" + host.getPort();
        return Objects.requireNonNullElse(tls(withoutUsualPort(name)).connectTimeout(),
                options.connectTimeout());
    }

    /** A host as TLS knows it, where 443 goes without saying. */
    private static String withoutUsualPort(String host) {
        return host.endsWith(":443") ? host.substring(0, host.length() - ":443".length()) : host;
    }

    private HostTls tls(String host) {
        return hostTls.getOrDefault(host, HostTls.NONE);
    }

    private CloseableHttpClient client() {
        BasicCredentialsProvider proxyCredentials = new BasicCredentialsProvider();
        for (Proxies.Proxy proxy : proxies.all()) {
            String user = proxy.userInfo();
            if (user != null) {
                int colon = user.indexOf(':');
                proxyCredentials.setCredentials(new AuthScope(proxy.host(), proxy.port()),
                        new UsernamePasswordCredentials(colon < 0 ? user : user.substring(0, colon),
                                (colon < 0 ? "" : user.substring(colon + 1)).toCharArray()));
            }
        }
        return HttpClients.custom().setConnectionManager(connections).setRoutePlanner(new ByEnvironment())
                .setDefaultCredentialsProvider(proxyCredentials)
                .setDefaultRequestConfig(RequestConfig.custom()
                        .setResponseTimeout(Timeout.of(options.stallTimeout()))
                        .setProtocolUpgradeEnabled(false).build())
                .disableAutomaticRetries().disableRedirectHandling().disableContentCompression()
                .disableCookieManagement().setUserAgent("berth").build();
    }

    private SSLSocket upgrade(Socket socket, String host, int port, @Nullable Object attachment,
            HttpContext context)
            throws IOException {
        String name = port == 443 ? host : host + ":" + port;
        boolean verify = !insecureHosts.contains(name);
        return new DefaultClientTlsStrategy(certificates.contextFor(name, verify, tls(name)),
                verify ? HostnameVerificationPolicy.BOTH : HostnameVerificationPolicy.CLIENT,
                verify ? HttpsSupport.getDefaultHostnameVerifier() : NoopHostnameVerifier.INSTANCE)
                .upgrade(socket, host, port, attachment, context);
    }

    private final class ByEnvironment extends DefaultRoutePlanner {
        ByEnvironment() {
            super(null);
        }

        @Override
        protected @Nullable HttpHost determineProxy(HttpHost target, HttpContext context) {
            String scheme = target.getSchemeName();
            Proxies.Proxy proxy = proxies.proxyFor(scheme, target.getHostName(),
                    port(scheme, target.getPort()));
            return proxy == null ? null : new HttpHost("http", proxy.host(), proxy.port());
        }
    }
}
