// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Which backend to open, for a {@link StorageBackendProvider}. All values are right by themselves:
 * of their type, within their bounds, and there if they are required.
 */
public final class BackendConfiguration {
  private final String scheme;
  private final String location;
  private final Map<Setting<?>, Object> values;

  /**
   * For those who open backends, and for tests of providers.
   *
   * @param scheme of the URL, in lower case
   * @param location what stands behind the colon of the scheme, without the query; may be empty
   * @param values what was set, each of the type of its setting
   * @throws IllegalArgumentException if a value is not of the type of its setting
   */
  public BackendConfiguration(String scheme, String location, Map<Setting<?>, Object> values) {
    this.scheme = Objects.requireNonNull(scheme, "scheme");
    this.location = Objects.requireNonNull(location, "location");
    this.values = Map.copyOf(values);
    this.values.forEach(
        (setting, value) -> {
          if (!setting.accepts(value)) {
            throw new IllegalArgumentException(
                "the value of " + setting.name() + " is not of its type");
          }
        });
  }

  /** The scheme of the URL, in lower case. */
  public String scheme() {
    return scheme;
  }

  /**
   * What stands behind the colon of the scheme, as it was written, without the query: {@code
   * /var/lib/tasks}, {@code //localhost:6379/0}. It may have a password in it.
   */
  public String location() {
    return location;
  }

  /** What was set, or what the setting has by default. */
  public <T> Optional<T> find(Setting<T> setting) {
    Object value = values.get(Objects.requireNonNull(setting, "setting"));
    return value == null ? setting.defaultValue() : Optional.of(setting.cast(value));
  }

  /**
   * What was set, or what the setting has by default.
   *
   * @throws IllegalArgumentException if there is neither: the setting is neither required nor has a
   *     default
   */
  public <T> T get(Setting<T> setting) {
    return find(setting)
        .orElseThrow(
            () -> new IllegalArgumentException(setting.name() + " is not set and has no default"));
  }

  /** Shows the scheme and which settings there are, never their values. */
  @Override
  public String toString() {
    return "BackendConfiguration["
        + scheme
        + ", settings "
        + values.keySet().stream().map(Setting::name).sorted().toList()
        + "]";
  }
}
