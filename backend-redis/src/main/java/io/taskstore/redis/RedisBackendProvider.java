// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.lettuce.core.RedisURI;
import io.lettuce.core.StaticCredentialsProvider;
import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import java.net.URLDecoder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Opens {@code redis://localhost:6379} as a {@link RedisStorageBackend}. */
public final class RedisBackendProvider implements StorageBackendProvider {
  private static final String CLUSTER = "redis-cluster";
  private static final String SENTINEL = "redis-sentinel";
  private static final String TLS_SCHEME = "rediss";

  private static final Pattern PLACE =
      Pattern.compile("(?<hosts>[^/#]*)(/(?<database>[0-9]{0,4}))?(#(?<master>[^/#]+))?");

  private static final Pattern HOST =
      Pattern.compile("(?<name>[A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+])(:(?<port>[0-9]{1,5}))?");

  /** What is not itself in a URL: it would end it, or it is half of an escape. */
  private static final Pattern UNSAFE = Pattern.compile("[/?#@]|%(?![0-9A-Fa-f]{2})");

  private static final Setting<String> KEY_PREFIX =
      Setting.text("keyPrefix", "What all keys begin with.")
          .byDefault(RedisStorageBackend.DEFAULT_KEY_PREFIX);

  private static final Setting<String> USER =
      Setting.text("user", "The user of Redis' access control lists; unset: the default user.");

  private static final Setting<String> PASSWORD =
      Setting.text("password", "The password of the user.").secret();

  private static final Setting<Boolean> TLS =
      Setting.flag("tls", "Whether to use TLS; always with rediss:.").byDefault(false);

  private static final Setting<String> CA_FILE =
      Setting.text(
          "caFile",
          "The certificates (PEM) that the server's may be from; unset: those that Java trusts.");

  private static final Setting<String> SENTINEL_PASSWORD =
      Setting.text("sentinelPassword", "The password of the Sentinels, if they have one.").secret();

  private static final Setting<Duration> TIMEOUT =
      Setting.duration(
              "timeout",
              RedisStorageBackend.MIN_TIMEOUT,
              RedisStorageBackend.MAX_TIMEOUT,
              "How long a call, and connecting, may take.")
          .byDefault(RedisStorageBackend.DEFAULT_TIMEOUT);

  private static final Setting<Integer> REPLICAS =
      Setting.count(
              "replicas",
              0,
              RedisStorageBackend.MAX_REPLICAS,
              "How many replicas must have a write before it is a success; not in a Cluster.")
          .byDefault(0);

  private static final Setting<Duration> EXPIRY_ALLOWANCE =
      Setting.duration(
              "expiryAllowance",
              Duration.ZERO,
              RedisStorageBackend.MAX_ALLOWANCE,
              "How much later than its expiry Redis drops a record, because clocks differ.")
          .byDefault(RedisStorageBackend.DEFAULT_ALLOWANCE);

  private static final Setting<Long> MAX_DATA_BYTES =
      Setting.size("maxDataBytes", 1, RedisStorageBackend.MAX_DATA_BYTES, "The largest record.")
          .byDefault((long) RedisStorageBackend.DEFAULT_MAX_DATA_BYTES);

  /** For {@link java.util.ServiceLoader}. */
  public RedisBackendProvider() {}

  @Override
  public Set<String> schemes() {
    return Set.of("redis", TLS_SCHEME, SENTINEL, CLUSTER);
  }

  @Override
  public String example() {
    return "redis://localhost:6379";
  }

  @Override
  public List<Setting<?>> settings() {
    return List.of(
        KEY_PREFIX,
        USER,
        PASSWORD,
        SENTINEL_PASSWORD,
        TLS,
        CA_FILE,
        TIMEOUT,
        REPLICAS,
        EXPIRY_ALLOWANCE,
        MAX_DATA_BYTES);
  }

  @Override
  public StorageBackend open(BackendConfiguration configuration) {
    List<RedisURI> uris = uris(configuration);
    RedisStorageBackend.Builder builder =
        configuration.scheme().equals(CLUSTER)
            ? RedisStorageBackend.clusterBuilder(uris)
            : RedisStorageBackend.builder(uris.get(0));
    configuration.find(CA_FILE).map(Path::of).ifPresent(builder::caFile);
    return builder
        .keyPrefix(configuration.get(KEY_PREFIX))
        .timeout(configuration.get(TIMEOUT))
        .replicas(configuration.get(REPLICAS))
        .expiryAllowance(configuration.get(EXPIRY_ALLOWANCE))
        .maxDataBytes(Math.toIntExact(configuration.get(MAX_DATA_BYTES)))
        .build();
  }

  /**
   * Not by the client's own way to read a URL, which takes most of what is wrong for the name of a
   * host, and then shows it; a part of a password for example.
   */
  private static List<RedisURI> uris(BackendConfiguration configuration) {
    String scheme = configuration.scheme();
    String location = configuration.location();
    if (!location.startsWith("//")) {
      throw noRedis(scheme);
    }
    String url = location.substring(2);
    int at = url.lastIndexOf('@');
    String credentials = url.substring(0, Math.max(at, 0));
    Matcher place = PLACE.matcher(url.substring(at + 1));
    if (!place.matches()) {
      throw noRedis(scheme);
    }
    boolean isSentinel = scheme.equals(SENTINEL);
    List<RedisURI> uris = new ArrayList<>();
    for (String text : place.group("hosts").split(",", -1)) {
      Matcher host = HOST.matcher(text);
      if (!host.matches()) {
        throw noRedis(scheme);
      }
      RedisURI.Builder uri =
          RedisURI.builder()
              .withHost(host.group("name"))
              .withPort(port(host.group("port"), isSentinel ? 26_379 : 6_379))
              .withSsl(scheme.equals(TLS_SCHEME) || configuration.get(TLS));
      if (isSentinel) {
        // Sentinels have users of their own.
        configuration
            .find(SENTINEL_PASSWORD)
            .ifPresent(password -> uri.withPassword(password.toCharArray()));
      }
      uris.add(uri.withTimeout(configuration.get(TIMEOUT)).build());
    }
    String database = Objects.requireNonNullElse(place.group("database"), "");
    String master = place.group("master");
    if (isSentinel != (master != null)) {
      throw noRedis(scheme);
    }
    if (scheme.equals(CLUSTER)) {
      if (!database.isEmpty()) {
        throw new IllegalArgumentException(
            "the url names the database " + database + ", and a Cluster has none: leave it out");
      }
    } else if (isSentinel) {
      RedisURI.Builder uri =
          RedisURI.builder()
              .withSentinelMasterId(master)
              .withSsl(configuration.get(TLS))
              .withTimeout(configuration.get(TIMEOUT));
      uris.forEach(uri::withSentinel);
      uris = List.of(uri.build());
    } else if (uris.size() > 1) {
      throw new IllegalArgumentException(
          "the url names several hosts, which is for redis-cluster: and redis-sentinel:");
    }
    for (RedisURI uri : uris) {
      if (!database.isEmpty()) {
        uri.setDatabase(Integer.parseInt(database));
      }
      // of the servers, not of Sentinels
      authenticate(uri, credentials, configuration);
    }
    return uris;
  }

  private static int port(@Nullable String text, int byDefault) {
    int port = text == null ? byDefault : Integer.parseInt(text);
    if (port < 1 || port > 65_535) {
      throw new IllegalArgumentException(
          "the url has the port " + port + ", not one from 1 to 65535");
    }
    return port;
  }

  /** By the settings, and by what stands in the URL where they are not set. */
  private static void authenticate(
      RedisURI uri, String credentials, BackendConfiguration configuration) {
    if (UNSAFE.matcher(credentials).find()) {
      throw new IllegalArgumentException(
          "user or password in the url have a character that must be percent-encoded; or use the"
              + " settings user and password");
    }
    int colon = credentials.indexOf(':');
    String userOfUrl = colon < 0 ? credentials : credentials.substring(0, colon);
    String passwordOfUrl = colon < 0 ? "" : credentials.substring(colon + 1);
    String user = configuration.find(USER).orElseGet(() -> decoded(userOfUrl));
    String password = configuration.find(PASSWORD).orElseGet(() -> decoded(passwordOfUrl));
    if (password.isEmpty() && !user.isEmpty()) {
      throw new IllegalArgumentException(
          "there is a user and no password: write user:password@ or :password@ before the host, or"
              + " use the setting password");
    }
    if (!password.isEmpty()) {
      uri.setCredentialsProvider(
          new StaticCredentialsProvider(user.isEmpty() ? null : user, password.toCharArray()));
    }
  }

  private static String decoded(String text) {
    return URLDecoder.decode(text.replace("+", "%2B"), UTF_8);
  }

  private static IllegalArgumentException noRedis(String scheme) {
    return new IllegalArgumentException(
        "the url names no Redis: write %s://host:port%s"
            .formatted(
                scheme,
                switch (scheme) {
                  case SENTINEL -> ",host:port#nameOfTheMaster";
                  case CLUSTER -> ",host:port";
                  default -> "";
                }));
  }
}
