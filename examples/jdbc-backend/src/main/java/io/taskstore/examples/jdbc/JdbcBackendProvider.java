// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples.jdbc;

import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import io.taskstore.spi.StorageException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.h2.jdbcx.JdbcConnectionPool;

/** Opens {@code jdbc:h2:/var/lib/tasks} as a {@link JdbcStorageBackend}. */
public final class JdbcBackendProvider implements StorageBackendProvider {
  private static final Setting<String> USER =
      Setting.text("user", "Who the database is told we are.").byDefault("sa");

  private static final Setting<String> PASSWORD =
      Setting.text("password", "The password of the user.").byDefault("").secret();

  private static final Setting<Integer> CONNECTIONS =
      Setting.count("connections", 1, 1_000, "The most calls at once; others wait.").byDefault(10);

  private static final Setting<Duration> TIMEOUT =
      Setting.duration(
              "timeout",
              Duration.ofSeconds(1),
              Duration.ofMinutes(1),
              "How long a call waits for a connection.")
          .byDefault(Duration.ofSeconds(5));

  private static final Pattern LOCATION =
      Pattern.compile("h2:((?:\\.{0,2}/|~/|[A-Za-z]:[/\\\\]).+)");

  /** For {@link java.util.ServiceLoader}. */
  public JdbcBackendProvider() {}

  @Override
  public Set<String> schemes() {
    return Set.of("jdbc");
  }

  @Override
  public String example() {
    return "jdbc:h2:/var/lib/tasks";
  }

  @Override
  public List<Setting<?>> settings() {
    return List.of(USER, PASSWORD, CONNECTIONS, TIMEOUT);
  }

  @Override
  public StorageBackend open(BackendConfiguration configuration) {
    Matcher location = LOCATION.matcher(configuration.location());
    if (!location.matches()) {
      throw new IllegalArgumentException(
          "the url names no file of an H2 database: write jdbc:h2: and its path, which begins with"
              + " / or ./ or ~/");
    }
    // An interrupt closes H2's files for everybody, but for those that are async; what H2 fails on,
    // data and all, it writes into a file beside the database, unless it is told not to.
    String url = "jdbc:h2:async:" + location.group(1) + ";TRACE_LEVEL_FILE=0";
    JdbcConnectionPool pool =
        JdbcConnectionPool.create(url, configuration.get(USER), configuration.get(PASSWORD));
    pool.setMaxConnections(configuration.get(CONNECTIONS));
    pool.setLoginTimeout(Math.toIntExact(configuration.get(TIMEOUT).toSeconds()));
    try {
      return new JdbcStorageBackend(pool);
    } catch (StorageException e) {
      pool.dispose();
      throw e;
    }
  }
}
