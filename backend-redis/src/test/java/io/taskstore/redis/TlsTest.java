// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.lettuce.core.RedisURI;
import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskStatus;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.testservers.RedisServer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** Certificates are made here; nobody else trusts them. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class TlsTest {
  private static final String PASSWORD = "changeit";
  private static final Duration TIMEOUT = Duration.ofSeconds(3);

  /** A certificate and its key, as PEM files. */
  private record Identity(Path certificate, Path key) {
    /**
     * Makes one with the JDK's own tool.
     *
     * @param names whom it is for, such as {@code dns:localhost}
     */
    static Identity create(Path directory, String alias, String names)
        throws IOException, InterruptedException, GeneralSecurityException {
      Path store = directory.resolve(alias + ".p12");
      Path log = directory.resolve(alias + ".log");
      Process keytool =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                  "-genkeypair",
                  "-alias",
                  alias,
                  "-keyalg",
                  "RSA",
                  "-keysize",
                  "2048",
                  "-validity",
                  "2",
                  "-dname",
                  "CN=" + alias,
                  "-ext",
                  "SAN=" + names,
                  "-storetype",
                  "PKCS12",
                  "-keystore",
                  store.toString(),
                  "-storepass",
                  PASSWORD)
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      assertThat(keytool.waitFor(60, TimeUnit.SECONDS)).as("keytool ends").isTrue();
      assertThat(keytool.exitValue()).as(Files.readString(log)).isZero();
      KeyStore keys = KeyStore.getInstance("PKCS12");
      try (InputStream in = Files.newInputStream(store)) {
        keys.load(in, PASSWORD.toCharArray());
      }
      byte[] key = keys.getKey(alias, PASSWORD.toCharArray()).getEncoded();
      return new Identity(
          pem(
              directory.resolve(alias + ".crt"),
              "CERTIFICATE",
              keys.getCertificate(alias).getEncoded()),
          pem(directory.resolve(alias + ".key"), "PRIVATE KEY", key));
    }

    private static Path pem(Path file, String what, byte[] content) throws IOException {
      String text = Base64.getMimeEncoder(64, "\n".getBytes(US_ASCII)).encodeToString(content);
      return Files.writeString(
          file, "-----BEGIN %s-----\n%s\n-----END %s-----\n".formatted(what, text, what), UTF_8);
    }
  }

  /** A server that speaks TLS on a port, beside the other one. */
  private static final class TlsServer implements AutoCloseable {
    private final RedisServer server;
    private final int port;

    TlsServer(Identity identity) {
      this.port = RedisServer.freePort();
      this.server =
          RedisServer.start(
              "--tls-port",
              Integer.toString(port),
              "--tls-cert-file",
              identity.certificate().toString(),
              "--tls-key-file",
              identity.key().toString(),
              "--tls-ca-cert-file",
              identity.certificate().toString(),
              "--tls-auth-clients",
              "no");
    }

    String endpoint() {
      return "127.0.0.1:" + port;
    }

    @Override
    public void close() {
      server.close();
    }
  }

  private @Nullable Identity here;
  private @Nullable Identity elsewhere;
  private @Nullable TlsServer server;

  @BeforeAll
  void start(@TempDir Path directory) throws Exception {
    here = Identity.create(directory, "here", "ip:127.0.0.1,dns:localhost");
    elsewhere = Identity.create(directory, "elsewhere", "dns:elsewhere.example");
    server = new TlsServer(here);
  }

  @AfterAll
  void stop() {
    server.close();
  }

  private static RedisStorageBackend.Builder options(String url) {
    return RedisStorageBackend.builder(RedisURI.create(url)).timeout(TIMEOUT);
  }

  @Test
  void open_knownCertificate_keepsTasks() {
    Owner owner = Owner.subject("alice");
    try (GenericTaskStore store =
        GenericTaskStore.over(
            options("rediss://" + server.endpoint()).caFile(here.certificate()).build())) {
      Task task = store.create(owner, NewTask.of("digest"));
      store.update(task, current -> TaskChange.change().complete(Map.of("pages", 3)));
      assertThat(store.get(owner, task.id()).status()).isEqualTo(TaskStatus.COMPLETED);
      store.delete(owner, task.id());
    }
  }

  private static void assertRefused(
      RedisStorageBackend.Builder options, String message, boolean isRetryable) {
    long start = System.nanoTime();
    Throwable failure = catchThrowable(() -> options.build().close());
    assertThat(failure)
        .isInstanceOf(StorageUnavailableException.class)
        .hasMessage(message)
        .extracting(e -> ((StorageUnavailableException) e).isRetryable())
        .isEqualTo(isRetryable);
    assertThat(Duration.ofNanos(System.nanoTime() - start))
        .as("the time until %s", failure)
        .isLessThan(TIMEOUT.plusSeconds(5));
  }

  private static String notTrusted(TlsServer server) {
    return "open: there is no TLS with Redis at "
        + server.endpoint()
        + ": its certificate is not accepted (PKIX path building failed: "
        + "sun.security.provider.certpath.SunCertPathBuilderException: "
        + "unable to find valid certification path to requested target)";
  }

  @Test
  void open_unknownCertificate_isRefusedAndSaysWhy() {
    assertRefused(options("rediss://" + server.endpoint()), notTrusted(server), false);
  }

  @Test
  void open_unknownCertificateOfACluster_isRefusedAndSaysWhy() {
    RedisURI uri = RedisURI.create("rediss://" + server.endpoint());
    assertRefused(
        RedisStorageBackend.clusterBuilder(List.of(uri)).timeout(TIMEOUT),
        notTrusted(server),
        false);
  }

  @Test
  void open_certificateOfAnotherAuthority_isRefusedAndSaysWhy() {
    assertRefused(
        options("rediss://" + server.endpoint()).caFile(elsewhere.certificate()),
        notTrusted(server),
        false);
  }

  /** Trust in who has signed it is not enough. */
  @Test
  void open_certificateForAnotherName_isRefusedAndSaysWhy() {
    try (TlsServer other = new TlsServer(elsewhere)) {
      assertRefused(
          options("rediss://" + other.endpoint()).caFile(elsewhere.certificate()),
          "open: there is no TLS with Redis at "
              + other.endpoint()
              + ": its certificate is not accepted "
              + "(No subject alternative names matching IP address 127.0.0.1 found)",
          false);
    }
  }

  @Test
  void open_plainTextToATlsPort_failsInTime() {
    String endpoint = server.endpoint();
    // How the connection ends depends on the system.
    assertThatThrownBy(() -> options("redis://" + endpoint).build())
        .isInstanceOf(StorageUnavailableException.class)
        .hasMessageMatching("open: Redis at \\Q" + endpoint + "\\E cannot be reached \\(\\w+\\)");
  }

  @Test
  void open_tlsToAPlainPort_failsInTime() {
    String endpoint = "127.0.0.1:" + server.server.port();
    // The connection is closed when there was no answer for the timeout, or the call has ended just
    // before.
    assertThatThrownBy(() -> options("rediss://" + endpoint).caFile(here.certificate()).build())
        .isInstanceOf(StorageUnavailableException.class)
        .hasMessageMatching(
            "open: (there is no TLS with Redis at E: \\w+|Redis at E cannot be reached \\(\\w+\\))"
                .replace("E", "\\Q" + endpoint + "\\E"));
  }
}
