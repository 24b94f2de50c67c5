package io.berth.runtime.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.runtime.config.BerthConfig;
import io.micrometer.core.instrument.Metrics;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class MetricsEndpointTest {
    private static final BerthConfig.Metrics ANY_PORT = new BerthConfig.Metrics(true, "127.0.0.1", 0);

    @Test
    void showsWhatIsRecordedInTheGlobalRegistry() throws Exception {
        try (MetricsEndpoint endpoint = MetricsEndpoint.open(ANY_PORT, "1.2.3")) {
            Metrics.timer("berth.test.step", "kind", "pull").record(Duration.ofMillis(250));
            HttpResponse<String> answer = send(endpoint, "/metrics", "GET");
            assertThat(answer.statusCode()).isEqualTo(200);
            assertThat(answer.headers().firstValue("Content-Type")).hasValueSatisfying(
                    type -> assertThat(type).startsWith("text/plain; version=0.0.4"));
            assertThat(answer.body()).contains("berth_test_step_seconds_count{kind=\"pull\"} 1\n",
                    "berth_test_step_seconds_sum{kind=\"pull\"} 0.25\n",
                    "berth_build_info{version=\"1.2.3\"} 1\n",
                    "jvm_memory_used_bytes{", "process_files_open_files ", "process_uptime_seconds ");
        }
    }

    @Test
    void servesNothingElse() throws Exception {
        try (MetricsEndpoint endpoint = MetricsEndpoint.open(ANY_PORT, "1")) {
            assertThat(send(endpoint, "/", "GET").statusCode()).isEqualTo(404);
            assertThat(send(endpoint, "/metrics/more", "GET").statusCode()).isEqualTo(404);
            assertThat(send(endpoint, "/metrics", "POST").statusCode()).isEqualTo(405);
        }
    }

    @Test
    void aPortThatIsTakenIsNamed() throws Exception {
        try (MetricsEndpoint first = MetricsEndpoint.open(ANY_PORT, "1")) {
            var same = new BerthConfig.Metrics(true, "127.0.0.1", first.port());
            assertThatThrownBy(() -> MetricsEndpoint.open(same, "1")).isInstanceOf(IOException.class)
                    .hasMessageStartingWith("cannot serve metrics at 127.0.0.1:" + first.port() + ": ")
                    .hasMessageEndingWith("; choose another [metrics] port, or set enabled = false");
        }
    }

    private static HttpResponse<String> send(MetricsEndpoint endpoint, String path, String method)
            throws Exception {
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + endpoint.port() + path))
                            .method(method, HttpRequest.BodyPublishers.noBody()).build(),
                    HttpResponse.BodyHandlers.ofString());
        }
    }
}
